"""A sample: one picture (or none) and everything that is said about it.

Data sources yield samples, tasks turn them into rows of token ids, and nothing in between knows where they came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8] | bytes | Path
"""A decoded picture `[H, W, 3]` in RGB, an encoded file's bytes, or a file's path."""


Rectangle = tuple[float, float, float, float]
"""`(x0, y0, x1, y1)` as fractions of the picture's width and height."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """The words `text[start:stop]`, and where all things are that they name: none where nothing in the picture fits.

    A phrase may stand in another; their common words belong to the inner one.
    """

    start: int
    stop: int
    boxes: tuple[Rectangle, ...] = ()


@dataclass(frozen=True, slots=True)
class Caption:
    """A text about the picture, or a text by itself where the sample has no picture.

    `canonical` marks the one wording that a captioner is expected to give word by word. `whole` is false for a piece of
    a longer text, which does not end where it stops.
    """

    text: str
    language: str = "und"
    canonical: bool = False
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """A question about the picture with its answer; `kind` groups questions in reports (count, colour, ...).

    `phrases` are those of its words that name things of the picture, where that is known. The first is the one that the
    others are measured from, how far away their things are and how much larger.
    """

    text: str
    answer: str
    kind: str = "other"
    language: str = "und"
    phrases: tuple[Phrase, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """A text that is true of the picture and foils, texts that are nearly the same and not true of it."""

    right: str
    wrong: tuple[str, ...]
    language: str = "und"


@dataclass(frozen=True, slots=True)
class Box:
    """Where a phrase's thing is."""

    xyxy: Rectangle
    phrase: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture and what is said about it. `key` names it in every message: a file, a row, a seed.

    label: its one class. tags: all classes that fit it, which may be none; None where nobody has said.
    """

    key: str
    image: Picture | None = None
    captions: tuple[Caption, ...] = ()
    questions: tuple[Question, ...] = ()
    label: str | None = None
    boxes: tuple[Box, ...] = ()
    tags: tuple[str, ...] | None = None
    choices: tuple[Choice, ...] = ()


@runtime_checkable
class Source(Protocol):
    """Samples that can be asked for by number.

    `source[i]` is pure: the same `i` gives the same sample in every process and every epoch, so that the order of
    training is a function of the seed and of the step, and a resumed run repeats nothing and misses nothing.
    A sample that cannot be used raises `SampleError`. A source whose numbers are an order to be kept (a curriculum)
    has an attribute `ordered` that is true.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


@runtime_checkable
class Stream(Protocol):
    """Samples that can only be read in order (tars, remote data).

    `iterate` is one pass of one of `shards` disjoint shares; the same arguments give the same samples in one order.
    For a sample that cannot be used its iterator raises `SampleError`, and goes on after it when asked for the next: so
    it is no generator, which would end there.
    """

    def iterate(self, *, epoch: int, shard: int, shards: int) -> Iterator[Sample]: ...


Splits = Mapping[str, Source | Stream]
"""What a data part builds: `train`, and for evaluation any of `validation`, `test`, `held_out`."""
