"""A look at the training data before anything is built: its texts, answers and labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from tuwen.core.errors import SampleError
from tuwen.core.sample import Sample, Source, Stream

PER_LOOK = 256
"""Samples are looked at in so many places of the data, evenly spread, so that sorted data does not mislead."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found. answers, labels: sorted, so that their numbers do not depend on the order of the data."""

    texts: tuple[str, ...]
    answers: tuple[str, ...]
    labels: tuple[str, ...]


def survey(source: Source | Stream, texts: int) -> Survey:
    """Read samples until there are `texts` texts, or no more samples."""
    found: list[str] = []
    answers: set[str] = set()
    labels: set[str] = set()
    for sample in spread(source):
        found += [caption.text for caption in sample.captions]
        found += [text for question in sample.questions for text in (question.text, question.answer)]
        answers |= {question.answer for question in sample.questions}
        labels |= {sample.label} if sample.label is not None else set()
        if len(found) >= texts:
            break
    return Survey(tuple(found), tuple(sorted(answers)), tuple(sorted(labels)))


def spread(source: Source | Stream) -> Iterator[Sample]:
    """Every sample once, in an order that soon has seen all parts of the data; broken ones are left out."""
    if isinstance(source, Source):
        yield from readable(source, _interleaved(len(source)))
    else:
        yield from source.iterate(epoch=0, shard=0, shards=1)


def first(source: Source | Stream, count: int) -> list[Sample]:
    """The first samples in order; broken ones are left out."""
    if isinstance(source, Source):
        return list(readable(source, iter(range(min(count, len(source))))))
    return list(islice(source.iterate(epoch=0, shard=0, shards=1), count))


def readable(source: Source, numbers: Iterator[int]) -> Iterator[Sample]:
    """Samples by number, without those that cannot be read."""
    for number in numbers:
        try:
            yield source[number]
        except SampleError:
            continue  # training lists it in skipped.jsonl, `tuwen data check` in its report


def _interleaved(length: int) -> Iterator[int]:
    """0 to length - 1: first one number of each of many stretches, then the next of each, and so on."""
    starts = np.linspace(0, length, min(PER_LOOK, length) + 1).astype(np.int64).tolist()
    longest = max((end - start for start, end in zip(starts, starts[1:], strict=False)), default=0)
    for offset in range(longest):
        for start, end in zip(starts, starts[1:], strict=False):
            if start + offset < end:
                yield start + offset
