"""Several classes a picture: read from the column that is named, and where none is, what looks like one is told."""

import pytest

from tests.data.folders import Build, Pictures, samples, table


def test_several_rows_of_one_picture_say_all_of_its_tags(build: Build, pictures: Pictures) -> None:
    text = "image,caption,tag\na.jpg,one,red\nb.jpg,two,\na.jpg,three,\na.jpg,four,round;red\n"
    folder = table(pictures("a.jpg", "b.jpg"), text)
    splits = build("folder", path=folder, validation=0, tags_column="tag")
    assert {sample.key: sample.tags for sample in samples(splits["train"])} == {"a.jpg": ("red", "round"), "b.jpg": ()}
    plain = build("folder", path=folder, validation=0)
    assert [sample.tags for sample in samples(plain["train"])] == [None, None]
    said = "captions.csv: 'tag' may be several classes a picture; set `tags_column` if it is."
    assert (said in plain.notes, said in splits.notes) == (True, False)
    table(folder, "image,tag\na.jpg,red; round\nb.jpg,blue\n")  # taken for captions: there is nothing else
    assert said in build("folder", path=folder, validation=0).notes


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("image,caption,image_tags\na.jpg,one,red\nb.jpg,two,blue\n", "image_tags"),
        ("image,标签\na.jpg,红、绿\nb.jpg,蓝\n", "标签"),
        ("image,label\na.jpg,red\nb.jpg,blue\n", None),
        ("image,caption,tags\na.jpg,one,\nb.jpg,two,\n", None),
        ("image,caption,tag_id\na.jpg,one,7\nb.jpg,two,8\n", None),
    ],
)
def test_a_column_that_may_have_several_classes_is_named(
    build: Build, pictures: Pictures, text: str, named: str | None
) -> None:
    folder = table(pictures("a.jpg", "b.jpg"), text)
    notes = [note for note in build("folder", path=folder, validation=0).notes if "tags_column" in note]
    assert [named] == [note.split("'")[1] for note in notes] if named else not notes


def test_a_named_column_of_tags_is_enough(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg", "b.jpg"), "image,tags,keywords\na.jpg,red,x\nb.jpg,blue,y\n")
    notes = build("folder", path=folder, validation=0, tags_column="tags").notes
    assert not [note for note in notes if "tags_column" in note]
