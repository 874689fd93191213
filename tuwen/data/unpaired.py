"""`unpaired`: a part of a data set keeps its pairs, of the rest pictures and texts are seen apart.

So a run learns from labelled pairs, unlabelled pictures and unlabelled texts together (semi-supervised learning:
Chapelle, Schölkopf and Zien 2006), and what pairs are worth can be measured. A picture and its own texts of the rest
are different samples; nothing says that they belong together. To mix data that comes apart, use `mixture`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field, PositiveFloat

from tuwen.core.errors import DataError
from tuwen.core.rooms import PartConfig, build_part
from tuwen.core.sample import Sample, Source
from tuwen.data import DataContext, NotedSplits
from tuwen.data._mixing import MixedSource, whole_weights
from tuwen.prep.order import permute

EXAMPLE = {"data": {"kind": "scenes"}, "paired": 0.1}
"""Settings to try the part with: these have no default."""


class Weights(PartConfig):
    """pairs, pictures, texts: how often each is seen; the fewer of them there are, the oftener each comes again."""

    pairs: PositiveFloat = 1.0
    pictures: PositiveFloat = 1.0
    texts: PositiveFloat = 1.0


class Config(PartConfig):
    """data: a data set, with its `kind`. paired: share of its training samples that stay pairs, drawn by the seed.

    pictures, texts: whether those of the rest are seen. weights: of the three in training.
    """

    data: dict[str, Any]
    paired: float = Field(gt=0, lt=1)
    pictures: bool = True
    texts: bool = True
    weights: Weights = Weights()


class Some:
    """Some of a source's samples, each changed."""

    def __init__(self, source: Source, numbers: Sequence[int], change: Callable[[Sample], Sample]) -> None:
        self._source, self._numbers, self._change = source, numbers, change

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        return self._change(self._source[self._numbers[index]])


def build(config: Config, context: DataContext | None = None) -> NotedSplits:
    """`train` in three kinds, and the other splits as they are.

    Raises:
        DataError: the data is a stream, or too small to be divided.
    """
    context = context or DataContext()
    whole = build_part("data", config.data, context, "data.data")
    train = whole["train"]
    if not isinstance(train, Source):
        raise DataError("data.data: it is a stream, which cannot be divided; use data that can be asked for by number.")
    order = permute(np.arange(len(train)), len(train), context.seed, 0).tolist()
    pairs = round(config.paired * len(train))
    if not 0 < pairs < len(train):
        raise DataError(f"data.paired: {config.paired} of {len(train)} samples leaves nothing on one side.")
    parts: dict[str, Source] = {"pairs": Some(train, order[:pairs], lambda sample: sample)}
    parts |= {"pictures": Some(train, order[pairs:], picture_alone)} if config.pictures else {}
    parts |= {"texts": Some(train, order[pairs:], texts_alone)} if config.texts else {}
    weights = whole_weights([getattr(config.weights, name) for name in parts])
    counted = ", ".join(f"{len(part):,} {name}" for name, part in parts.items())
    return NotedSplits(
        {**whole, "train": MixedSource(parts, weights)},
        (*getattr(whole, "notes", ()), f"The training data is seen as {counted}."),
        getattr(whole, "labels", ()),
        getattr(whole, "class_texts", {}),
    )


def picture_alone(sample: Sample) -> Sample:
    """A picture about which nothing is said."""
    return Sample(sample.key, sample.image)


def texts_alone(sample: Sample) -> Sample:
    """What is said, without the picture that it is said about."""
    return replace(sample, image=None, questions=(), label=None, boxes=(), tags=None)
