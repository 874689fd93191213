"""Rare classes come oftener, and nothing else changes."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuwen.core.errors import DataError, RecipeError
from tuwen.core.sample import Source
from tuwen.data import NotedSplits

Build = Callable[..., NotedSplits]
COUNTS = {"cat": 64, "dog": 16, "ant": 4}


@pytest.fixture
def folder(pictures: Callable[..., Path]) -> dict[str, Any]:
    path = pictures(*[f"{name}/{number}.png" for name, count in COUNTS.items() for number in range(count)])
    return {"kind": "folder", "path": str(path), "validation": 0}


def shares(splits: NotedSplits, count: int | None = None) -> dict[str | None, float]:
    source = splits["train"]
    assert isinstance(source, Source)
    found = Counter(source[number].label for number in range(count or len(source)))
    return {label: number / found.total() for label, number in found.items()}


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, {"cat": 1, "dog": 1, "ant": 1}),
        ({"weights": "proportional"}, {"cat": 64, "dog": 16, "ant": 4}),
        ({"weights": "proportional", "temperature": 2}, {"cat": 8, "dog": 4, "ant": 2}),
    ],
)
def test_classes_are_seen_as_asked(
    build: Build, folder: dict[str, Any], settings: dict[str, Any], wanted: dict[str, float]
) -> None:
    splits = build("class_balanced", data=folder, **settings)
    total = sum(wanted.values())
    assert shares(splits) == pytest.approx({name: weight / total for name, weight in wanted.items()}, abs=0.03)


def test_every_sample_is_seen(build: Build, folder: dict[str, Any]) -> None:
    splits = build("class_balanced", data=folder)
    train = splits["train"]
    assert isinstance(train, Source)
    assert len({train[number].key for number in range(len(train))}) == sum(COUNTS.values())
    assert splits.labels == ("ant", "cat", "dog")
    assert splits.notes[-1] == "Classes have 4 to 64 training samples; each is seen as often as any other."


def test_samples_without_a_label_are_seen_too(build: Build) -> None:
    scenes = {"kind": "scenes", "size": 32, "train_scenes": 200, "test_scenes": 5}
    splits = build("class_balanced", data=scenes, weights="proportional")
    without = {label: share for label, share in shares(splits).items() if label is None}
    assert without[None] == pytest.approx(2 / 3, abs=0.1)
    assert list(splits) == ["train", "test", "held_out"]


def test_broken_samples_are_no_class(build: Build, pictures: Callable[..., Path]) -> None:
    folder = pictures(*[f"{number}.png" for number in range(8)])
    rows = [f"{number}.png,{'no label' if number % 4 == 0 else 'dog'}\n" for number in range(8)]
    table = folder / "captions.csv"
    table.write_text("image,label\n" + "".join(rows) + "gone.png,dog\n" * 2 + "lost.png,dog\n", encoding="utf-8")
    splits = build("class_balanced", data={"kind": "folder", "path": str(folder), "validation": 0})
    assert shares(splits) == pytest.approx({"dog": 0.5, "no label": 0.5}, abs=0.1)
    assert "2 training samples cannot be read, and are left out:\n  gone.png: no such picture" in splits.notes[-1]
    assert splits.notes[-2].startswith("Classes have 2 to 6 training samples")
    table.write_text(
        "image,label\n0.png,cat\n1.png,dog\n" + "".join(f"no{n}.png,dog\n" for n in range(5)), encoding="utf-8"
    )
    with pytest.raises(DataError, match=r"5 of 7 training samples cannot be read:\n  no0\.png: (.|\n)*and 2 more"):
        build("class_balanced", data={"kind": "folder", "path": str(folder), "validation": 0})


def test_a_class_called_no_label_is_not_those_without_one(build: Build, pictures: Callable[..., Path]) -> None:
    folder = pictures(*[f"{number}.png" for number in range(12)])
    rows = [f"{number}.png,{('no label', 'dog', '')[number % 3]},text\n" for number in range(12)]
    (folder / "captions.csv").write_text("image,label,caption\n" + "".join(rows), encoding="utf-8")
    splits = build("class_balanced", data={"kind": "folder", "path": str(folder), "validation": 0})
    assert shares(splits) == pytest.approx({"dog": 1 / 3, "no label": 1 / 3, None: 1 / 3})
    train = splits["train"]
    assert isinstance(train, Source)
    found = {(train[number].key.rpartition(":")[0], train[number].label) for number in range(len(train))}
    assert found == {("dog", "dog"), ("no label", "no label"), ("(no label)", None)}


def test_what_cannot_be_balanced_is_refused(build: Build, folder: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="temperature only acts on proportional weights"):
        build("class_balanced", data=folder, temperature=2)
    with pytest.raises(DataError, match="nothing to balance: its training samples have 0 classes"):
        build("class_balanced", data={"kind": "scenes", "objects": [2, 2], "train_scenes": 10, "size": 32})
