"""Folders of pictures with tables, and what sources make of them."""

from collections.abc import Callable
from pathlib import Path

from tuwen.core.sample import Sample, Source
from tuwen.data import NotedSplits

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
