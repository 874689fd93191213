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


def test_what_cannot_be_balanced_is_refused(build: Build, folder: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="temperature only acts on proportional weights"):
        build("class_balanced", data=folder, temperature=2)
    with pytest.raises(DataError, match="nothing to balance: its training samples have 0 classes"):
        build("class_balanced", data={"kind": "scenes", "objects": [2, 2], "train_scenes": 10, "size": 32})
