"""Folders of pictures with a table: what is found, what is guessed, what is said."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.folders import Build, Pictures, captions, samples, table
from tuwen.core.errors import DataError, RecipeError, SampleError
from tuwen.core.sample import Caption, Question, Sample, Source

# A table


@pytest.mark.parametrize("given", [None, "captions.csv", "absolute"])
def test_a_folder_and_a_csv(build: Build, pictures: Pictures, given: str | None) -> None:
    folder = table(pictures("a.jpg", "b.jpg"), "image,caption\na.jpg,a dog\nb.jpg,一只猫\n")
    named = {None: {}, "absolute": {"captions": str(folder / "captions.csv")}}.get(given, {"captions": given})
    splits = build("folder", path=str(folder), validation=0, **named)
    assert list(splits) == ["train"]
    first, second = samples(splits["train"])
    assert first == Sample(key="a.jpg", image=folder / "a.jpg", captions=(Caption("a dog", "en"),))
    assert second.captions == (Caption("一只猫", "zh"),)
    assert any("'image'" in note and "guessed" in note for note in splits.notes)
    assert any("'caption'" in note and "guessed" in note for note in splits.notes)
    assert splits.notes[-1] == "train: 2 samples."


def test_nothing_is_guessed_that_was_given(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), "image,caption,other\na.jpg,no,yes\n")
    splits = build("folder", path=folder, image_column="image", caption_columns=["other"], captions="captions.csv")
    assert captions(splits["train"]) == {"a.jpg": ["yes"]}
    assert not [note for note in splits.notes if "(guessed)" in note]


def test_several_rows_columns_and_list_items_of_one_picture(build: Build, pictures: Pictures) -> None:
    folder = pictures("a.jpg", "b.jpg")
    rows = [
        {"image": "a.jpg", "captions": ["one", "two"], "title": "three"},
        {"image": "b.jpg", "captions": "five"},
        {"image": "a.jpg", "captions": ["four", "one"]},
    ]
    table(folder, "\n".join(map(json.dumps, rows)), "x.jsonl")
    splits = build("folder", path=folder, validation=0)
    assert captions(splits["train"]) == {"a.jpg": ["one", "two", "three", "four"], "b.jpg": ["five"]}


def test_nested_names_tell_the_language(build: Build, pictures: Pictures) -> None:
    folder = pictures("a.jpg")
    row = {"image": "a.jpg", "names": {"en": "井", "zh": "hash", "fr": "croisillon"}}
    table(folder, json.dumps(row, ensure_ascii=False), "x.jsonl")
    both = build("folder", path=folder, caption_columns=["names.en", "names.zh"])
    assert samples(both["train"])[0].captions == (Caption("井", "en"), Caption("hash", "zh"))
    every = build("folder", path=folder, caption_columns=["names.*"])
    assert [caption.language for caption in samples(every["train"])[0].captions] == ["en", "zh", "fr"]
    given = build("folder", path=folder, caption_columns=["names.*"], language="und")
    assert {caption.language for caption in samples(given["train"])[0].captions} == {"und"}


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("file_name,text", ["text"]),
        ("filepath,title", ["title"]),
        ("图片,描述", ["描述"]),
        ("图片,中文标题,英文标题", ["中文标题", "英文标题"]),
        ("image,caption_en,caption_zh", ["caption_en", "caption_zh"]),
        ("imagePath,imageCaption", ["imageCaption"]),
        ("path,en,zh", ["en", "zh"]),
        ("path,whatever", ["whatever"]),
        ("id,image,sentence", ["sentence"]),
        ("image,caption,caption_id,url", ["caption"]),
        ("图片,标题,店铺名称,品牌名称,类目名称", ["标题"]),
        ("图片,商品标题,品牌名称", ["商品标题", "品牌名称"]),
        ("image,caption,caption_zh,en,product_name", ["caption", "caption_zh", "en"]),
    ],
)
def test_columns_are_guessed_by_name_and_content(
    build: Build, pictures: Pictures, header: str, chosen: Sequence[str]
) -> None:
    names = header.split(",")
    cells = [
        "a.jpg" if name in ("file_name", "filepath", "图片", "image", "imagePath", "path") else f"text of {name}"
        for name in names
    ]
    folder = table(pictures("a.jpg"), f"{header}\n{','.join(cells)}\n")
    splits = build("folder", path=folder)
    assert captions(splits["train"]) == {"a.jpg": [f"text of {name}" for name in chosen]}


def test_without_a_header(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg", "b.jpg"), "a.jpg,a dog\nb.jpg,a cat\n")
    splits = build("folder", path=folder, validation=0)
    assert captions(splits["train"]) == {"a.jpg": ["a dog"], "b.jpg": ["a cat"]}


def test_questions_and_answers(build: Build, pictures: Pictures) -> None:
    folder = pictures("a.jpg")
    rows = [
        {"image": "a.jpg", "question": "what colour?", "answer": "red", "question_type": "colour"},
        {"image": "a.jpg", "question": "是红色吗？", "answer": ["是", "否", "是"], "question_type": "yes-no"},
    ]
    table(folder, "\n".join(map(json.dumps, rows)), "vqa.jsonl")
    (sample,) = samples(build("folder", path=folder)["train"])
    assert sample.questions == (
        Question("what colour?", "red", "colour", "en"),
        Question("是红色吗？", "是", "yes-no", "zh"),
    )
    assert sample.captions == ()


def test_questions_in_lists_are_paired(build: Build, pictures: Pictures) -> None:
    folder = pictures("a.jpg", "b.jpg")
    turns = [{"question": "what?", "answer": "a dog"}, {"question": "where?", "answer": "here"}]
    rows = [{"image": "a.jpg", "qa": turns}, {"image": "b.jpg", "qa": [*turns, {"question": "why?"}]}]
    table(folder, "\n".join(map(json.dumps, rows)), "vqa.jsonl")
    source = build("folder", path=folder, validation=0)["train"]
    assert isinstance(source, Source)
    assert [(q.text, q.answer) for q in source[0].questions] == [("what?", "a dog"), ("where?", "here")]
    with pytest.raises(SampleError, match="3 questions and 2 answers"):
        source[1]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("speaker", "said", "asks", "answers"),
    [("from", "value", "human", "gpt"), ("role", "content", "User", "assistant")],
)
def test_turns_of_a_conversation_are_questions_and_answers(
    build: Build, pictures: Pictures, form: str, speaker: str, said: str, asks: str, answers: str
) -> None:
    def turns(*texts: str) -> list[dict[str, str]]:
        return [{speaker: (asks, answers)[place % 2], said: text} for place, text in enumerate(texts)]

    folder = pictures("a.jpg", "b.jpg", "c.jpg")
    begins = {speaker: "system", said: "you are helpful"}
    rows = [
        {"image": "a.jpg", "conversations": [begins, *turns("<image>\nwhat is it?", "a dog", "它在哪里？", "这里")]},
        {"image": "b.jpg", "conversations": turns("what?", "a cat", "no answer?")},
        {"image": "c.jpg", "conversations": turns("<image>", "a bird")},
    ]
    if form == "jsonl":
        table(folder, "\n".join(map(json.dumps, rows)), "chats.jsonl")
    else:
        pq.write_table(pa.Table.from_pylist(rows), folder / "chats.parquet")
    splits = build("folder", path=folder, validation=0)
    assert any("the turns of 'conversations' (guessed), without <image>" in note for note in splits.notes)
    source = splits["train"]
    assert isinstance(source, Source)
    assert source[0].questions == (
        Question("what is it?", "a dog", "other", "en"),
        Question("它在哪里？", "这里", "other", "zh"),
    )
    assert source[0].captions == ()
    for broken in (1, 2):
        with pytest.raises(SampleError, match="not a question and its answer"):
            source[broken]


def test_turns_with_their_texts_one_level_deeper(build: Build, pictures: Pictures) -> None:
    content = [{"type": "image"}, {"type": "text", "text": "what is it?"}]
    turns = [
        {"role": "user", "content": content},
        {"role": "assistant", "content": [{"type": "text", "text": "a dog"}]},
    ]
    folder = table(pictures("a.jpg"), json.dumps([{"image": "a.jpg", "messages": turns}]), "chats.json")
    (sample,) = samples(build("folder", path=folder)["train"])
    assert (sample.questions, sample.captions) == ((Question("what is it?", "a dog", "other", "en"),), ())


def test_half_a_pair_is_no_question(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), "image,query,caption\na.jpg,dogs,a dog\n")
    splits = build("folder", path=folder)
    assert not any("questions" in note for note in splits.notes)
    with pytest.raises(DataError, match="set `answer_column` too"):
        build("folder", path=folder, question_column="query")


def test_labels_and_templates(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg", "b.jpg", "c.jpg"), "image,label\na.jpg,10\nb.jpg,9\nc.jpg,big_dog\n")
    splits = build("folder", path=folder, validation=0, templates={"en": "a photo of a {}", "zh": "一张{}的照片"})
    assert splits.labels == ("9", "10", "big_dog")
    assert splits.class_texts["zh"] == {"9": "一张9的照片", "10": "一张10的照片", "big_dog": "一张big dog的照片"}
    sample = samples(splits["train"])[2]
    assert sample.label == "big_dog"
    assert sample.captions == (Caption("a photo of a big dog", "en"), Caption("一张big dog的照片", "zh"))
    with pytest.raises(RecipeError, match="no {} where the label goes"):
        build("folder", path=folder, templates={"en": "a photo"})


def test_rows_of_one_picture_with_other_labels_stay_apart(build: Build, pictures: Pictures) -> None:
    folder = table(
        pictures("a.jpg"), "image,sentence,label\na.jpg,it is red,true\na.jpg,it is blue,false\na.jpg,red,true\n"
    )
    found = [(s.label, [c.text for c in s.captions]) for s in samples(build("folder", path=folder)["train"])]
    assert found == [("true", ["it is red", "red"]), ("false", ["it is blue"])]


def test_a_row_without_a_label_speaks_of_the_same_picture_as_those_with_one(build: Build, pictures: Pictures) -> None:
    folder = table(
        pictures("a.jpg", "b.jpg", "c.jpg"),
        "image,caption,label\na.jpg,first,\na.jpg,second,red\na.jpg,third,\nb.jpg,alone,\nc.jpg,x,blue\nc.jpg,y,red\nc.jpg,z,\n",
    )
    splits = build("folder", path=folder, validation=0)
    found = [(s.label, [c.text for c in s.captions]) for s in samples(splits["train"])]
    assert found == [
        ("red", ["first", "second", "third"]),
        (None, ["alone"]),
        ("red", ["y", "z"]),
        ("blue", ["x"]),
    ]


# Texts


def test_a_picture_without_a_text_is_refused_alone(build: Build, pictures: Pictures) -> None:
    text = "image,caption\na.jpg,x\nb.jpg, \x01 \n,y\n"
    source = build("folder", path=table(pictures("a.jpg", "b.jpg"), text), validation=0)["train"]
    assert isinstance(source, Source)
    with pytest.raises(SampleError, match=r"b\.jpg: nothing is said about the picture: caption is empty \(.* line 3\)"):
        source[1]
    with pytest.raises(SampleError, match=r"captions\.csv line 4: it has no picture"):
        source[2]


def test_control_characters_go_and_the_text_stays(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), 'image,caption\na.jpg,"a\x00 dog\x1b\nruns\ufeff"\n')
    assert captions(build("folder", path=folder)["train"]) == {"a.jpg": ["a dog runs"]}


def test_a_broken_row_is_refused_alone(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg", "b.jpg"), "image,caption\na.jpg,x\nb.jpg,y,z\na.jpg,w\n")
    source = build("folder", path=folder, validation=0)["train"]
    assert isinstance(source, Source)
    assert len(source) == 2
    assert [caption.text for caption in source[0].captions] == ["x", "w"]
    with pytest.raises(SampleError, match=r"captions\.csv line 3: 3 fields"):
        source[1]


def test_mostly_broken_rows_stop_at_once(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), "image,caption\na.jpg,x,y,z\na.jpg,x,y\na.jpg,x,y\na.jpg,x\n", "c.csv")
    with pytest.raises(DataError, match=r"3 of 4 rows cannot be read.*\n.*c\.csv line 2"):
        build("folder", path=folder)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"caption_columns": ["captoin"]}, "no column 'captoin'; it has 'image', 'caption'. Did you mean 'caption'"),
        ({"image_column": "picture"}, "no column 'picture'"),
        ({"split_column": "split"}, "no column 'split'"),
        ({"captions": "texts.csv"}, r"texts\.csv: no such table of captions.*Tables there: .*captions\.csv"),
    ],
)
def test_what_the_user_names_must_be_there(
    build: Build, pictures: Pictures, settings: dict[str, Any], words: str
) -> None:
    folder = table(pictures("a.jpg"), "image,caption\na.jpg,x\n")
    with pytest.raises(DataError, match=words):
        build("folder", path=folder, **settings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,width\na.jpg,3\n", "no column says anything about the pictures. It has 'image', 'width'"),
        ("n,caption\n1,a dog\n", "no column names pictures that are there"),
    ],
)
def test_tables_that_do_not_fit(build: Build, pictures: Pictures, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        build("folder", path=table(pictures("a.jpg"), text))


def test_no_such_folder_and_unknown_settings(build: Build, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        build("folder", path=tmp_path / "gone")
    with pytest.raises(RecipeError, match="caption_column: unknown key.*Did you mean 'caption_columns'"):
        build("folder", path=tmp_path, caption_column="x")
