"""Stages follow each other, and a model learns the classes of all."""

from collections.abc import Callable
from pathlib import Path

from tuwen.core.sample import Source
from tuwen.data import NotedSplits

Build = Callable[..., NotedSplits]


def test_what_is_known_of_each_stage_is_known_of_the_whole(build: Build, pictures: Callable[..., Path]) -> None:
    first = pictures("cat/1.jpg", "dog/2.jpg", folder="first")
    last = pictures("ant/3.jpg", "cat/4.jpg", folder="last")
    spec = {"kind": "folder", "validation": 0, "templates": {"en": "a {}"}}
    stages = [{"data": {**spec, "path": str(first)}, "samples": 4}, {"data": {**spec, "path": str(last)}}]
    splits = build("curriculum", stages=stages)
    assert splits.labels == ("cat", "dog", "ant")
    assert splits.class_texts == {"en": {"cat": "a cat", "dog": "a dog", "ant": "a ant"}}
    assert "stage 0: The classes are the names of 2 subfolders: cat, dog." in splits.notes
    train = splits["train"]
    assert isinstance(train, Source)
    labels = [train[number].label for number in range(len(train))]
    assert [sorted(map(str, labels[:4])), sorted(map(str, labels[4:]))] == [
        ["cat", "cat", "dog", "dog"],
        ["ant", "cat"],
    ]
    bare = {name: value for name, value in spec.items() if name != "templates"}
    stages[1]["data"] = {**bare, "path": str(last)}
    assert build("curriculum", stages=stages).class_texts == {}  # it describes all of its labels, or none
