"""What words on the command line mean."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tuwen.core.errors import DataError
from tuwen.data import NotedSplits, spec_of, whole


def test_words_become_parts(pictures: Callable[..., Path], tmp_path: Path) -> None:
    folder = str(pictures("a.jpg"))
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "state.json").touch()
    saved = str(tmp_path / "saved")
    (tmp_path / "tars").mkdir()
    (tmp_path / "tars" / "a.tar").touch()
    tars = str(tmp_path / "tars")
    texts = tmp_path / "texts.csv"
    texts.touch()
    assert spec_of([folder]) == {"kind": "folder", "path": folder}
    assert spec_of([folder], "c.csv") == {"kind": "folder", "path": folder, "captions": "c.csv"}
    assert spec_of([str(texts)]) == {"kind": "folder", "path": str(tmp_path), "captions": str(texts)}
    assert spec_of([saved]) == {"kind": "hub", "name": saved}
    assert spec_of(["owner/name.v2"]) == {"kind": "hub", "name": "owner/name.v2"}
    assert spec_of(["scenes"]) == {"kind": "scenes"}
    assert spec_of([tars]) == {"kind": "shards", "train": [tars]}
    assert spec_of(["a-{000..3}.tar", "https://x.org/b.tar.gz"]) == {
        "kind": "shards",
        "train": ["a-{000..3}.tar", "https://x.org/b.tar.gz"],
    }


def test_several_are_mixed(pictures: Callable[..., Path]) -> None:
    one, two = str(pictures("a.jpg", folder="x/one")), str(pictures("b.jpg", folder="y/one"))
    assert spec_of([one, "scenes", two, "z-*.tar", "w-*.tar"]) == {
        "kind": "mixture",
        "parts": {
            "one": {"kind": "folder", "path": one},
            "scenes": {"kind": "scenes"},
            "one3": {"kind": "folder", "path": two},
            "z": {"kind": "shards", "train": ["z-*.tar", "w-*.tar"]},
        },
    }


@pytest.mark.parametrize(
    ("tars", "title"),
    [("shards/{000..127}.tar", "shards"), ("shards/*.tar", "shards"), ("a/train_*.tar.gz", "train"), ("*.tar", "data")],
)
def test_a_mixed_part_is_called_after_what_is_plain_in_its_address(tars: str, title: str) -> None:
    assert list(spec_of(["scenes", tars])["parts"]) == ["scenes", title]


@pytest.mark.parametrize(
    ("data", "captions", "words"),
    [
        ([], None, "say where the pictures are"),
        (["photoz"], None, "--data photoz: no such folder or file"),
        (["./gone/away"], None, "no such folder or file"),
        (["scenes"], "c.csv", "needs one folder of pictures"),
        ([__file__], None, "a file, and neither a table .* nor a tar; give the folder"),
    ],
)
def test_words_that_mean_nothing(data: list[str], captions: str | None, words: str) -> None:
    with pytest.raises(DataError, match=words):
        spec_of(data, captions)


def test_splits_are_listed_in_their_order() -> None:
    splits = NotedSplits({"other": [], "test": [], "train": [], "held_out": []})  # type: ignore[dict-item]
    assert list(splits) == ["train", "test", "held_out", "other"]


def test_all_of_what_has_no_splits_unless_somebody_says_how_much_is_held_out() -> None:
    folder, tars = {"kind": "folder", "path": "p"}, {"kind": "shards", "train": ["a.tar"]}
    assert whole(folder) == {**folder, "validation": 0.0}
    assert whole({**folder, "validation": 0.2}) == {**folder, "validation": 0.2}
    assert whole(tars) == tars
    parts = {"kind": "mixture", "parts": {"a": folder, "b": tars}}
    assert whole(parts) == {"kind": "mixture", "parts": {"a": {**folder, "validation": 0.0}, "b": tars}}
