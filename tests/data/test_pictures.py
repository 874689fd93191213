"""Folders of pictures about which nothing is said."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tuwen.core.errors import DataError
from tuwen.core.sample import Sample, Source
from tuwen.data import NotedSplits

Build = Callable[..., NotedSplits]


def keys(splits: NotedSplits, name: str = "train") -> list[str]:
    source = splits[name]
    assert isinstance(source, Source)
    return [source[number].key for number in range(len(source))]


def test_every_picture_is_a_sample_and_nothing_else_is(build: Build, pictures: Callable[..., Path]) -> None:
    folder = pictures("b.jpg", "a.png", "deep/er/c.webp", ".hidden.png")
    (folder / "notes.txt").write_text("text", encoding="utf-8")
    splits = build("pictures", path=str(folder))
    assert keys(splits) == ["a.png", "b.jpg", "deep/er/c.webp"]
    train = splits["train"]
    assert isinstance(train, Source)
    assert train[2] == Sample("deep/er/c.webp", folder / "deep/er/c.webp")
    assert splits.notes == (f"{folder}: 3 pictures, about which nothing is said.",)
    with pytest.raises(IndexError):
        train[3]


def test_a_share_is_held_out(build: Build, pictures: Callable[..., Path]) -> None:
    folder = pictures(*[f"{number}.png" for number in range(60)])
    splits = build("pictures", path=str(folder), validation=0.3)
    train, held = keys(splits), keys(splits, "validation")
    assert sorted(train + held) == sorted(f"{number}.png" for number in range(60))
    assert 8 < len(held) < 28


def test_no_folder_and_no_pictures(build: Build, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: no such folder of pictures: say where yours is with data\.path"):
        build("pictures", path=str(tmp_path / "gone"))
    with pytest.raises(DataError, match="no pictures in it"):
        build("pictures", path=str(tmp_path))
