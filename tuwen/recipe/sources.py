"""The data of a recipe, opened, and ways to go through it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np

from tuwen.core.errors import DataError, RecipeError, SampleError
from tuwen.core.rooms import build_part
from tuwen.core.sample import Sample, Source, Stream
from tuwen.data import DataContext
from tuwen.recipe.schema import Recipe

PER_LOOK = 256
"""Samples are looked at in so many places of the data, evenly spread, so that sorted data does not mislead."""

Outcome = Sample | SampleError
"""What came of reading one sample."""


@dataclass(frozen=True)
class Data:
    """The splits of a recipe's data, and what is known of them without training.

    notes: what was guessed of them. labels, class_texts: the classes, where the data names them.
    """

    splits: Mapping[str, Source | Stream]
    notes: tuple[str, ...]
    labels: tuple[str, ...]
    class_texts: Mapping[str, Mapping[str, str]]

    @property
    def train(self) -> Source | Stream:
        """What is trained on."""
        return self.splits["train"]


def build_data(recipe: Recipe) -> Data:
    """Open the data.

    Raises:
        DataError: it cannot be used, or has no split `train`.
        RecipeError: `evaluate.splits` names one that it does not have.
    """
    splits = build_part("data", recipe.data, DataContext(recipe.seed), "data")
    if "train" not in splits:
        raise DataError(f"data: there is no split `train` to learn from, only {', '.join(splits) or 'none'}.")
    _check_measured(recipe.evaluate.splits or (), [name for name in splits if name != "train"])
    return Data(
        splits,
        tuple(getattr(splits, "notes", ())),
        tuple(getattr(splits, "labels", ())),
        getattr(splits, "class_texts", {}),
    )


def _check_measured(wanted: Sequence[str], there: Sequence[str]) -> None:
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise RecipeError(
            f"evaluate.splits: the data has no split {unknown[0]!r} beside train; it has {', '.join(there) or 'none'}. "
            "Name what it has, or measure on all of them: --set evaluate.splits=null"
        )


def spread(source: Source | Stream) -> Iterator[Outcome]:
    """Every sample once, in an order that soon has seen all parts of the data; of a stream, in its own order."""
    if isinstance(source, Source):
        return by_number(source, _interleaved(len(source)))
    return in_turn(source.iterate(epoch=0, shard=0, shards=1))


def some(source: Source | Stream, count: int) -> Iterator[Outcome]:
    """All samples in order where there are no more than `count`, else so many of them, evenly spread."""
    if isinstance(source, Source):
        numbers = np.arange(len(source)) if len(source) <= count else np.arange(count) * len(source) // count
        return by_number(source, numbers.tolist())
    return islice(in_turn(source.iterate(epoch=0, shard=0, shards=1)), count)


def sound(outcomes: Iterable[Outcome]) -> Iterator[Sample]:
    """The samples among them that could be read."""
    return (outcome for outcome in outcomes if isinstance(outcome, Sample))


def by_number(source: Source, numbers: Iterable[int]) -> Iterator[Outcome]:
    """Samples by number."""
    for number in numbers:
        try:
            yield source[number]
        except SampleError as error:
            yield error


def in_turn(samples: Iterator[Sample]) -> Iterator[Outcome]:
    """The samples of a stream, which goes on after a broken one."""
    while True:
        try:
            yield next(samples)
        except StopIteration:
            return
        except SampleError as error:
            yield error


def _interleaved(length: int) -> Iterator[int]:
    """0 to length - 1: first one number of each of many stretches, then the next of each, and so on."""
    starts = np.linspace(0, length, min(PER_LOOK, length) + 1).astype(np.int64).tolist()
    longest = max((end - start for start, end in pairwise(starts)), default=0)
    for offset in range(longest):
        for start, end in pairwise(starts):
            if start + offset < end:
                yield start + offset
