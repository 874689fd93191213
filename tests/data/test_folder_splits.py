"""Which split a picture of a folder belongs to, and folders that have no table."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.data.folders import Build, Pictures, captions, samples, table
from tuwen.core.errors import DataError, SampleError
from tuwen.core.sample import Caption, Source

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


def test_a_picture_of_several_classes_stays_in_one_split(build: Build, pictures: Pictures) -> None:
    """Where one of them is nowhere else, all that is said of the picture is trained on; one without a class is not."""
    names = [f"{number}.png" for number in range(40)]
    rows = [f"{name},thing" for name in names[:39]] + [f"{names[number]},only {number}" for number in range(0, 39, 2)]
    folder = table(pictures(*names), "\n".join(["image,label,caption", *(f"{row},x" for row in rows), "39.png,,x"]))
    splits = build("folder", path=folder, validation=0.5)
    train, validation = ({sample.key for sample in samples(splits[name])} for name in ("train", "validation"))
    assert not train & validation
    assert {sample.label for sample in samples(splits["train"])} >= {"thing", *(f"only {n}" for n in range(0, 39, 2))}
    assert len(validation) > 5
    assert validation <= {*names[1::2]}
    assert any("but for those of a class that would have none left" in note for note in splits.notes)


def test_where_each_picture_is_its_class_none_is_held_out_and_that_is_said(build: Build, pictures: Pictures) -> None:
    names = [f"{number}.png" for number in range(20)]
    folder = table(pictures(*names), "\n".join(["image,label", *(f"{name},{name}" for name in names)]))
    splits = build("folder", path=folder)
    assert list(splits) == ["train"]
    assert any("no picture is held out for validation" in note for note in splits.notes)


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


@pytest.mark.parametrize(
    ("files", "classes"),
    [
        (["bus/1.jpg", "car/1.jpg", "train/1.jpg"], ["bus", "car", "train"]),
        (["bus/images/1.jpg", "train/images/1.jpg"], ["bus/images", "train/images"]),
        (["ops/1.jpg", "dev/x/1.jpg", "dev/y/1.jpg"], ["dev/x", "dev/y", "ops"]),
    ],
)
def test_a_class_may_be_called_like_a_split(
    build: Build, pictures: Pictures, files: Sequence[str], classes: Sequence[str]
) -> None:
    splits = build("folder", path=pictures(*files), validation=0)
    assert list(splits) == ["train"]
    assert sorted(str(sample.label) for sample in samples(splits["train"])) == classes
    assert any("taken for classes, not for splits" in note for note in splits.notes)


def test_pictures_beside_splits_are_told_of(build: Build, pictures: Pictures) -> None:
    folder = pictures("train/cat/1.jpg", "train/dog/2.jpg", "test/cat/3.jpg", "more/4.jpg", "more/5.jpg")
    splits = build("folder", path=folder)
    assert list(splits) == ["train", "test"]
    said = f"The splits are test, train; the pictures beside them are not used: 2 in {folder / 'more'}."
    assert splits.notes[0] == said


def test_what_may_be_a_split_or_not_is_refused(build: Build, pictures: Pictures) -> None:
    folder = pictures("a/1.jpg", "b/2.jpg", "val/a/3.jpg", "val/b/4.jpg")
    with pytest.raises(DataError, match=r"pictures in val, .* and beside it: 1 in .*a, 1 in .*b\. .*into .*train"):
        build("folder", path=folder)
    folder = pictures("beach/1.jpg", "dev/2.jpg", folder="texts")
    (folder / "dev" / "2.txt").write_text("text", encoding="utf-8")
    with pytest.raises(DataError, match="pictures in dev, called like a split"):
        build("folder", path=folder)
    folder = pictures("train/a/1.jpg", "val/a/2.jpg", "dev/a/3.jpg", folder="two")
    with pytest.raises(DataError, match="dev and val are both called like the split validation"):
        build("folder", path=folder)


def test_a_split_without_a_table_is_told_of(build: Build, pictures: Pictures) -> None:
    folder = pictures("train/a.jpg", "test/a.jpg", "test/b.jpg")
    table(folder / "train", "image,caption\na.jpg,x\n", "metadata.csv")
    splits = build("folder", path=folder)
    assert list(splits) == ["train"]
    assert f"{folder / 'test'}: its 2 pictures are not used, because it has no table of its own." in splits.notes


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


def test_text_files_in_another_encoding(build: Build, pictures: Pictures) -> None:
    folder = pictures("a.jpg", "b.jpg", "c.jpg")
    for name, text in (("a", "un caf\xe9, \xff".encode("cp1252")), ("b", b"a dog"), ("c", b"a cat")):
        (folder / f"{name}.txt").write_bytes(text)
    source = build("folder", path=folder, validation=0)["train"]
    assert isinstance(source, Source)
    with pytest.raises(SampleError, match=r"a\.txt: its text is neither UTF-8.*set `encoding`"):
        source[2]
    assert [source[number].captions[0].text for number in (0, 1)] == ["a dog", "a cat"]
    given = build("folder", path=folder, validation=0, encoding="cp1252")["train"]
    assert captions(given)["a.jpg"] == ["un café, ÿ"]
    with pytest.raises(DataError, match="no encoding is called 'utf-9'"):
        build("folder", path=folder, encoding="utf-9")


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
