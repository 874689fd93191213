"""Folders of pictures as users have them: what is found, what is guessed, what is said."""

import csv
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuwen.core.errors import DataError, RecipeError, SampleError
from tuwen.core.sample import Caption, Question, Sample, Source
from tuwen.data import NotedSplits
from tuwen.prep.images import ImageConfig, ImagePrep

Build = Callable[..., NotedSplits]
Pictures = Callable[..., Path]


def table(folder: Path, text: str, name: str = "captions.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def samples(source: object) -> list[Sample]:
    assert isinstance(source, Source)
    return [source[number] for number in range(len(source))]


def captions(source: object) -> dict[str, list[str]]:
    return {sample.key: [caption.text for caption in sample.captions] for sample in samples(source)}


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


# Pictures


@pytest.mark.parametrize(
    ("files", "names", "note"),
    [
        (["a.jpg", "b.jpg"], ["a", "b"], "lack their ending, .jpg"),
        (["a.png"], [r"images\a.png"], "only the last part"),
        (["a.png"], ["/home/else/where/a.png"], "only the last part"),
        (["img/a.png", "img/b.png"], ["a.png", "b.png"], "looked for in"),
        (["train2014/a.png", "val2014/b.png"], ["a.png", "b.png"], "looked for in"),
        (["sub/a.png"], [r"sub\a.png"], None),
        (["a.png"], ["a.png#0"], None),
        (["图 片/狗 1.png"], ["图 片/狗 1.png"], None),
    ],
)
def test_how_pictures_may_be_named(
    build: Build, pictures: Pictures, files: list[str], names: list[str], note: str | None
) -> None:
    folder = table(pictures(*files), "image,caption\n" + "".join(f"{name},text\n" for name in names))
    splits = build("folder", path=folder, validation=0, image_column="image")
    assert [sample.image for sample in samples(splits["train"])] == [folder / file for file in files]
    said = [text for text in splits.notes if "looked for" in text or "last part" in text or "ending" in text]
    assert (note is None and not said) or (note is not None and note in said[0])


def test_names_from_the_folder_of_the_table(build: Build, pictures: Pictures, tmp_path: Path) -> None:
    pictures("a.png")
    table(tmp_path, "image,caption\nphotos/a.png,x\n", "texts.csv")
    splits = build("folder", path=tmp_path / "photos", captions=str(tmp_path / "texts.csv"))
    assert samples(splits["train"])[0].image == tmp_path / "photos" / "a.png"


def test_absolute_paths(build: Build, pictures: Pictures, tmp_path: Path) -> None:
    folder = pictures("a.png")
    other = tmp_path / "texts"
    other.mkdir()
    table(other, f"image,caption\n{folder / 'a.png'},x\n")
    assert samples(build("folder", path=other)["train"])[0].image == folder / "a.png"


def test_a_missing_picture_is_named_with_its_line(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), "image,caption\na.jpg,x\n\ngone.jpg,y\n")
    splits = build("folder", path=folder, validation=0)
    source = splits["train"]
    assert isinstance(source, Source)
    with pytest.raises(SampleError) as caught:
        source[1]
    assert caught.value.key == "gone.jpg"
    assert caught.value.reason == f"no such picture: {folder / 'gone.jpg'} (captions.csv line 4)"
    assert any("of 2 pictures looked for, 1 are not there" in note for note in splits.notes)


def test_no_picture_is_there(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), "image,caption\nx/b.jpg,x\n")
    with pytest.raises(DataError, match=r"none of 1 pictures looked for is there; the first was .*x/b\.jpg"):
        build("folder", path=folder)


def test_addresses_are_not_downloaded(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), "image,caption\nhttps://example.org/b.jpg,x\n")
    with pytest.raises(DataError, match="nothing is downloaded in training"):
        build("folder", path=folder)


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


# Splits


def test_validation_is_a_stable_share_of_the_pictures(build: Build, pictures: Pictures) -> None:
    names = [f"{number}.png" for number in range(200)]
    folder = pictures(*names)
    rows = [f"{name},text {side}\n" for name in names for side in "ab"]
    table(folder, "image,caption\n" + "".join(rows))
    splits = build("folder", path=folder)
    train, validation = set(captions(splits["train"])), set(captions(splits["validation"]))
    assert train | validation == set(names)
    assert not train & validation
    assert 8 <= len(validation) <= 35
    assert any("10% of the pictures" in note for note in splits.notes)
    assert set(captions(build("folder", path=folder, validation=0.5)["validation"])) > validation
    table(folder, "image,caption\n" + "".join(reversed(rows[: len(rows) // 2])))
    fewer = set(captions(build("folder", path=folder)["validation"]))
    assert fewer == validation & set(names[:100])


def test_two_pictures_make_two_splits(build: Build, pictures: Pictures) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        folder = table(pictures("z.jpg", name), f"image,caption\nz.jpg,x\n{name},y\n")
        splits = build("folder", path=folder)
        assert {split: len(samples(source)) for split, source in splits.items()} == {"train": 1, "validation": 1}


def test_split_column(build: Build, pictures: Pictures) -> None:
    values = ["train", "Training", "val", "test", "held_out", "dev", "train"]
    names = [f"{number}.png" for number in range(len(values))]
    lines = "".join(f"{name},x,{value}\n" for name, value in zip(names, values, strict=True))
    folder = table(pictures(*names), f"image,caption,split\n{lines}")
    for settings in ({}, {"split_column": "split"}):
        splits = build("folder", path=folder, **settings)
        assert {name: list(captions(source)) for name, source in splits.items()} == {
            "train": ["0.png", "1.png", "6.png"],
            "validation": ["2.png", "5.png"],
            "test": ["3.png"],
            "held_out": ["4.png"],
        }
    assert list(splits) == ["train", "validation", "test", "held_out"]


def test_split_column_with_other_values_or_none(build: Build, pictures: Pictures) -> None:
    text = "image,caption,part\na.jpg,x,train\nb.jpg,y,\nc.jpg,z,test\n"
    folder = table(pictures("a.jpg", "b.jpg", "c.jpg"), text)
    source = build("folder", path=folder, split_column="part")["train"]
    assert isinstance(source, Source)
    assert len(source) == 2
    with pytest.raises(SampleError, match=r"line 3: column 'part', which tells the split, is empty"):
        source[1]
    table(folder, "image,caption,part\na.jpg,x,first\n")
    with pytest.raises(DataError, match="'part' has 'first'; the splits are train, validation, test and held_out"):
        build("folder", path=folder, split_column="part")


def test_a_row_without_a_split_does_not_spoil_its_picture(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), "image,caption,split\na.jpg,x,\na.jpg,y,train\na.jpg,z,train\n")
    source = build("folder", path=folder, validation=0)["train"]
    assert isinstance(source, Source)
    assert len(source) == 2
    assert [caption.text for caption in source[0].captions] == ["y", "z"]


def test_validation_beside_a_split_column(build: Build, pictures: Pictures) -> None:
    names = [f"{number}.png" for number in range(30)]

    def lengths(values: Sequence[str], **settings: object) -> dict[str, int]:
        lines = "".join(f"{name},x,{value}\n" for name, value in zip(names, values, strict=True))
        folder = table(pictures(*names), f"image,caption,split\n{lines}")
        return {name: len(samples(source)) for name, source in build("folder", path=folder, **settings).items()}

    halves = ["train"] * 15 + ["test"] * 15
    assert lengths(halves) == {"train": 15, "test": 15}
    asked = lengths(halves, validation=0.3)
    assert asked["test"] == 15
    assert asked["train"] + asked["validation"] == 15
    assert set(lengths(["train"] * 30)) == {"train", "validation"}
    assert lengths(["train"] * 29 + ["val"], validation=0.5) == {"train": 29, "validation": 1}


def test_a_picture_in_two_splits_is_said(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg", "b.jpg"), "image,caption,split\na.jpg,x,train\na.jpg,y,test\nb.jpg,z,train\n")
    splits = build("folder", path=folder)
    assert any("1 pictures are in more than one split" in note for note in splits.notes)
    assert captions(splits["test"]) == {"a.jpg": ["y"]}


def test_tables_named_by_split(build: Build, pictures: Pictures) -> None:
    folder = pictures("a.jpg", "b.jpg")
    table(folder, "image,caption\na.jpg,x\n", "captions_train2017.csv")
    table(folder, "image,caption\nb.jpg,y\n", "captions_val2017.csv")
    splits = build("folder", path=folder)
    assert {name: captions(source) for name, source in splits.items()} == {
        "train": {"a.jpg": ["x"]},
        "validation": {"b.jpg": ["y"]},
    }


def test_tables_in_folders_named_by_split(build: Build, pictures: Pictures) -> None:
    folder = pictures("train/a.jpg", "test/a.jpg")
    for split in ("train", "test"):
        table(folder / split, f"file_name,text\na.jpg,{split}\n", "metadata.csv")
    splits = build("folder", path=folder)
    assert {name: captions(source) for name, source in splits.items()} == {
        "train": {"a.jpg": ["train"]},
        "test": {"a.jpg": ["test"]},
    }
    assert samples(splits["test"])[0].image == folder / "test" / "a.jpg"


def test_several_tables(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), "image,caption\na.jpg,x\n", "one.csv")
    table(folder, "image,caption\na.jpg,y\n", "two.csv")
    with pytest.raises(DataError, match="several tables.*say with `captions`"):
        build("folder", path=folder)
    table(folder, "image,caption\na.jpg,z\n", "metadata.csv")
    assert captions(build("folder", path=folder)["train"]) == {"a.jpg": ["z"]}


# Without a table


def test_subfolders_are_classes(build: Build, pictures: Pictures) -> None:
    folder = pictures("cat/1.jpg", "cat/2.jpg", "dog/big/1.jpg", ".hidden/1.jpg")
    splits = build("folder", path=folder, validation=0, templates={"zh": "一只{}"})
    assert [(sample.key, sample.label) for sample in samples(splits["train"])] == [
        (f"cat{os.sep}1.jpg", "cat"),
        (f"cat{os.sep}2.jpg", "cat"),
        (f"dog{os.sep}big{os.sep}1.jpg", "dog/big"),
    ]
    assert splits.labels == ("cat", "dog/big")
    assert splits.notes[0] == "The classes are the names of 2 subfolders: cat, dog/big."
    assert splits.class_texts == {"zh": {"cat": "一只cat", "dog/big": "一只dog/big"}}
    assert samples(splits["train"])[0].captions == (Caption("一只cat", "zh"),)


def test_subfolders_of_splits_and_classes(build: Build, pictures: Pictures) -> None:
    folder = pictures("train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg")
    splits = build("folder", path=folder)
    assert {name: [(s.label, s.image) for s in samples(source)] for name, source in splits.items()} == {
        "train": [("cat", folder / "train/cat/1.jpg"), ("dog", folder / "train/dog/1.jpg")],
        "validation": [("cat", folder / "val/cat/2.jpg")],
    }


def test_text_files_beside_the_pictures(build: Build, pictures: Pictures) -> None:
    folder = pictures("a.jpg", "sub/b.png", "c.jpg")
    (folder / "a.txt").write_text("a dog\n一只狗\n", encoding="utf-8")
    (folder / "sub" / "b.txt").write_text("两只小猫在草地上晒太阳", encoding="gb18030")
    splits = build("folder", path=folder, validation=0)
    source = splits["train"]
    assert isinstance(source, Source)
    assert [caption.text for caption in source[0].captions] == ["a dog", "一只狗"]
    assert [caption.text for caption in source[2].captions] == ["两只小猫在草地上晒太阳"]
    with pytest.raises(SampleError, match=r"c\.jpg: nothing is said"):
        source[1]


def test_nothing_is_said(build: Build, pictures: Pictures) -> None:
    with pytest.raises(DataError, match="nothing is said about its 2 pictures"):
        build("folder", path=pictures("a.jpg", "b.jpg"))
    with pytest.raises(DataError, match="nothing is said about its 1 pictures"):
        build("folder", path=pictures("only/a.jpg", folder="other"))
    with pytest.raises(DataError, match="`caption_columns` is set, and there is no table"):
        build("folder", path=pictures("cat/a.jpg", "dog/b.jpg", folder="third"), caption_columns=["x"])


def test_no_pictures(build: Build, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures in it"):
        build("folder", path=tmp_path)


# Parquet, size, real data


def test_parquet_with_pictures_inside(
    build: Build, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = pictures("a.png", "b.png")
    data = [(folder / name).read_bytes() for name in ("a.png", "b.png")]
    images = [{"bytes": data[0], "path": "a.png"}, {"bytes": data[1], "path": None}]
    pq.write_table(pa.table({"image": images, "text": ["x", "y"]}), tmp_path / "t-00000-of-00002.parquet")
    pq.write_table(pa.table({"image": images[:1], "text": ["z"]}), tmp_path / "t-00001-of-00002.parquet")
    source = build("folder", path=tmp_path, validation=0)["train"]
    assert [(s.key, s.image, s.captions[0].text) for s in samples(source)] == [
        ("t.parquet row 0", data[0], "x"),
        ("t.parquet row 1", data[1], "y"),
        ("t.parquet row 2", data[0], "z"),
    ]


def test_a_source_goes_to_another_process(build: Build, pictures: Pictures) -> None:
    names = [f"{number}.png" for number in range(5)]
    folder = table(pictures(*names), "image,caption\n" + "".join(f"{name},text {name[0]}\n" for name in names))
    source = build("folder", path=folder, validation=0)["train"]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        assert list(pool.map(source.__getitem__, range(5))) == samples(source)  # type: ignore[union-attr]


def test_many_rows_take_little_memory_and_time(build: Build, pictures: Pictures) -> None:
    folder = pictures("a.jpg", "b.jpg")
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption"])
        writer.writerows((f"{'ab'[number % 2]}.jpg", f"caption number {number}") for number in range(100_000))
    before = pa.total_allocated_bytes()
    source = build("folder", path=folder, validation=0)["train"]
    assert isinstance(source, Source)
    assert pa.total_allocated_bytes() - before < 8_000_000
    assert len(source) == 2
    assert len(source[1].captions) == 50_000
    assert source[1].captions[-1].text == "caption number 99999"


def test_emoji_with_a_split_that_the_user_wrote(build: Build, emoji: Path, tmp_path: Path) -> None:
    lines = (emoji / "emoji.jsonl").read_text(encoding="utf-8").splitlines()
    toned = 0
    with (tmp_path / "split.jsonl").open("w", encoding="utf-8") as file:
        for line in lines:
            record = json.loads(line)
            toned += record["skin_tone"]
            held = record["skin_tone"] and toned % 3 == 0
            file.write(json.dumps({**record, "split": "held_out" if held else "train"}) + "\n")
    splits = build(
        "folder",
        path=emoji,
        captions=str(tmp_path / "split.jsonl"),
        caption_columns=["names.en", "names.zh"],
        split_column="split",
    )
    train, held = samples(splits["train"]), samples(splits["held_out"])
    assert len(train) + len(held) == 2133
    assert len(held) == toned // 3
    assert train[0].captions == (Caption("hash sign", "en"), Caption("井号", "zh"))
    assert train[0].image == emoji / "png" / "emoji_u0023.png"
    assert all(len(sample.captions) == 2 for sample in train + held)


def test_emoji_as_it_is(build: Build, emoji: Path) -> None:
    splits = build("folder", path=emoji)
    assert sum(len(source) for source in splits.values() if isinstance(source, Source)) == 2133
    first = samples(splits["train"])[0]
    assert [caption.language for caption in first.captions] == [
        "en",
        "zh",
        "ja",
        "ko",
        "fr",
        "de",
        "es",
        "ar",
        "hi",
        "ru",
    ]


def test_photographs_with_a_spreadsheet_of_chinese_captions(build: Build, bccd: Path, tmp_path: Path) -> None:
    names = sorted(file.name for file in (bccd / "JPEGImages").iterdir())[:20]
    lines = ["图片;说明", *(f"{name};第{number}张血细胞照片" for number, name in enumerate(names))]
    (tmp_path / "说明.csv").write_bytes("\r\n".join(lines).encode("gb18030"))
    splits = build("folder", path=bccd / "JPEGImages", captions=str(tmp_path / "说明.csv"), validation=0)
    prep = ImagePrep(ImageConfig(size=64))
    found = samples(splits["train"])
    assert [sample.captions[0] for sample in found] == [
        Caption(f"第{number}张血细胞照片", "zh") for number in range(len(names))
    ]
    for sample in found[:3]:
        assert sample.image is not None
        assert prep(sample.image, sample.key, None).shape == (64, 64, 3)


def test_a_class_with_no_sample_is_refused(build: Build, pictures: Pictures) -> None:
    folder = pictures("cat/1.jpg", "cat/2.jpg", "dog/big/3.jpg")
    (folder / "bird").mkdir()
    with pytest.raises(DataError, match=r"bird: no picture in it, so the class 'bird' has no sample: give it pictures"):
        build("folder", path=str(folder))
    (folder / "bird").rename(folder / ".cache")
    assert build("folder", path=str(folder)).labels == ("cat", "dog/big")


def test_a_class_may_be_empty_in_one_split_but_not_in_all(build: Build, pictures: Pictures) -> None:
    folder = pictures("train/cat/1.jpg", "train/dog/2.jpg", "test/cat/3.jpg")
    (folder / "test" / "dog").mkdir()
    assert build("folder", path=str(folder)).labels == ("cat", "dog")
    (folder / "test" / "fox").mkdir()
    with pytest.raises(DataError, match="the class 'fox' has no sample"):
        build("folder", path=str(folder))


def test_validation_never_takes_the_last_picture_of_a_class(build: Build, pictures: Pictures) -> None:
    folder = pictures(*[f"class {number}/only.jpg" for number in range(40)], *[f"many/{n}.jpg" for n in range(40)])
    splits = build("folder", path=str(folder), validation=0.5)
    train, held = splits["train"], splits["validation"]
    assert isinstance(train, Source)
    assert isinstance(held, Source)
    assert {train[number].label for number in range(len(train))} == set(splits.labels)
    assert {held[number].label for number in range(len(held))} == {"many"}
