"""Pictures whose names differ from those in the table, and pictures that no row names."""

import pickle
import unicodedata

import pytest

from tests.data.folders import Build, Pictures, captions, samples, table
from tuwen.core.errors import DataError, SampleError
from tuwen.core.sample import Source


def test_names_in_another_spelling(build: Build, pictures: Pictures) -> None:
    """In capitals, and as macOS writes accents."""
    cafe = unicodedata.normalize("NFD", "café.jpg")
    folder = table(
        pictures("img_018.jpg", "b.png", f"Été/{cafe}"), "image,caption\nIMG_018.JPG,x\nb.png,y\nété/café.jpg,z\n"
    )
    splits = build("folder", path=folder, validation=0)
    found = [sample.image for sample in samples(pickle.loads(pickle.dumps(splits["train"])))]
    assert found == [folder / "img_018.jpg", folder / "b.png", folder / "Été" / cafe]
    assert any("2 are there in another spelling or with an ending (IMG_018.JPG is img_018" in n for n in splits.notes)
    (folder / "IMG_018.jpg").write_bytes((folder / "b.png").read_bytes())
    source = build("folder", path=folder, validation=0)["train"]
    assert isinstance(source, Source)
    with pytest.raises(SampleError, match=r"it may be .*IMG_018\.jpg or .*img_018\.jpg"):
        source[0]


def test_all_names_in_another_spelling(build: Build, pictures: Pictures) -> None:
    folder = table(pictures(unicodedata.normalize("NFD", "é.jpg")), "image,caption\né.jpg,x\n")
    assert len(samples(build("folder", path=folder)["train"])) == 1
    table(folder, "image,caption\ne.jpg,x\n")
    with pytest.raises(DataError, match="none of 1 pictures looked for is there"):
        build("folder", path=folder)


def test_names_without_their_several_endings(build: Build, pictures: Pictures) -> None:
    folder = pictures("a.jpg", "b.jpg", "c.JPG", "d.png", "e.jpg", "e.png", "f.gif", "f.tif")
    table(folder, "image,caption\n" + "".join(f"{name},text of {name}\n" for name in "abcdef"))
    source = build("folder", path=folder, validation=0)["train"]
    assert isinstance(source, Source)
    names = ["a.jpg", "b.jpg", "c.JPG", "d.png", "e.jpg"]
    assert [source[number].image for number in range(5)] == [folder / name for name in names]
    with pytest.raises(SampleError, match=r"it may be .*f\.gif or .*f\.tif"):
        source[5]


def test_pictures_that_no_row_names_are_counted(build: Build, pictures: Pictures) -> None:
    folder = pictures("a.jpg", "b.jpg", "more/c.jpg", "D.png")
    table(folder, "image,caption\na.jpg,x\nd,y\n")
    notes = build("folder", path=folder).notes
    said = f"{folder}: 2 of its 4 pictures are in no row of the table, and are not used (b.jpg, for example)."
    assert said in notes
    table(folder, "image,caption\na.jpg,x\nb.jpg,x\nmore/c.jpg,y\nd.PNG,y\n")
    assert not [note for note in build("folder", path=folder).notes if "in no row" in note]


def test_tables_of_splits_name_their_pictures_together(build: Build, pictures: Pictures) -> None:
    folder = pictures("train/0.png", "test/0.png", "test/1.png")
    table(folder, "image,caption\n0.png,x\n", "train.csv")
    table(folder, "image,caption\n0.png,x\n", "test.csv")
    notes = build("folder", path=folder).notes
    assert any(
        "1 of its 3 pictures are in no row of the table, and are not used (test/1.png," in note for note in notes
    )


@pytest.mark.parametrize("other", ["./a.jpg", "x/../a.jpg", "a.jpg#1", r".\a.jpg", "A.JPG"])
def test_one_picture_under_two_names_is_one(build: Build, pictures: Pictures, other: str) -> None:
    folder = table(pictures("a.jpg", "b.jpg"), f"image,caption\na.jpg,one\n{other},two\nb.jpg,three\n")
    source = build("folder", path=folder, validation=0)["train"]
    assert captions(source) == {"a.jpg": ["one", "two"], "b.jpg": ["three"]}


def test_two_pictures_whose_names_differ_in_case_are_two(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg", "A.jpg"), "image,caption\na.jpg,one\nA.jpg,two\n")
    assert captions(build("folder", path=folder, validation=0)["train"]) == {"a.jpg": ["one"], "A.jpg": ["two"]}
