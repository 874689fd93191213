"""Which cells of a table beside pictures are texts, and in which language they are."""

import pytest

from tests.data.folders import Build, Pictures, captions, samples, table
from tuwen.core.errors import RecipeError
from tuwen.core.sample import Caption


def test_a_column_of_one_text_in_all_rows_is_no_caption(build: Build, pictures: Pictures) -> None:
    folder = pictures("a.jpg", "b.jpg", "c.jpg")
    table(folder, "图片,商品标题,品牌名称\na.jpg,手机,小米\nb.jpg,耳机,小米\nc.jpg,电视,小米\n")
    said = captions(build("folder", path=folder, validation=0)["train"])
    assert said == {"a.jpg": ["手机"], "b.jpg": ["耳机"], "c.jpg": ["电视"]}
    table(folder, "image,caption\na.jpg,x\nb.jpg,x\n")
    assert captions(build("folder", path=folder, validation=0)["train"]) == {"a.jpg": ["x"], "b.jpg": ["x"]}


def test_words_for_a_missing_caption_are_none(build: Build, pictures: Pictures) -> None:
    names = [f"{number}.jpg" for number in range(7)]
    said = ["NaN,cat", "null,None", " None,cat", "N/A,None", "-,cat", "a dog,None", "nan bread,cat"]
    rows = [f"{name},{cells}" for name, cells in zip(names, said, strict=True)]
    folder = table(pictures(*names), "image,caption,label\n" + "\n".join(rows) + "\n")
    splits = build("folder", path=folder, validation=0)
    assert captions(splits["train"]) == {name: [] for name in names[:5]} | {"5.jpg": ["a dog"], "6.jpg": ["nan bread"]}
    assert splits.labels == ("None", "cat")
    assert any("5 cells of column 'caption' are taken for empty: 'NaN', 'null'" in note for note in splits.notes)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("zh-CN", "zh"),
        ("zh_Hans", "zh"),
        ("Chinese", "zh"),
        ("简体中文", "zh"),
        ("zho", "zh"),
        ("en-US", "en"),
        ("English", "en"),
        ("sv", "sv"),
        ("und", "und"),
    ],
)
def test_a_language_by_its_usual_names(build: Build, pictures: Pictures, given: str, code: str) -> None:
    folder = table(pictures("a.jpg"), "image,caption\na.jpg,x\n")
    (sample,) = samples(build("folder", path=folder, language=given)["train"])
    assert sample.captions == (Caption("x", code),)


def test_a_language_that_is_none_is_refused(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), "image,caption\na.jpg,x\n")
    with pytest.raises(RecipeError, match=r"no language is called 'klingon'; say its code, such as .*en, .*zh"):
        build("folder", path=folder, language="klingon")
