"""What is to be said of a split's pictures: which cannot be used, and which are large, small, long or the same."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tuwen.core.errors import SampleError
from tuwen.core.sample import Sample
from tuwen.prep.decoding import EncodedPicture, read
from tuwen.prep.images import ImagePrep
from tuwen.recipe.sources import Outcome

T = TypeVar("T")

TOGETHER = 64
"""Pictures that are decoded at once, so that not all of them are in memory."""

SMALL = 0.5
"""A picture whose shorter side is below this share of the model's square is enlarged more than twice."""

LONG = 3.0
"""A picture that is so many times longer than wide shows little in a square."""

SLOW = 25.0
"""Megapixels above which decoding is slow enough to be noticed in training."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture, decoded. pixels: the model's square; digest: the same for the same file or pixels."""

    sample: Sample
    width: int
    height: int
    pixels: NDArray[np.uint8]
    digest: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """A sample, and what is wrong with it or strange about it."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of one split.

    looked_at: samples of which the picture was decoded. unusable: training will skip them.
    small, large, long: will be used; each with its size. same: keys of pictures that are one and the same.
    sides: least, median and greatest width, and height, in pixels.
    """

    looked_at: int
    unusable: tuple[Fault, ...]
    small: tuple[Fault, ...]
    large: tuple[Fault, ...]
    long: tuple[Fault, ...]
    same: tuple[tuple[str, ...], ...]
    sides: tuple[tuple[int, int, int], tuple[int, int, int]] | None


def look_at(outcomes: Iterable[Outcome], images: ImagePrep) -> tuple[list[Seen], list[Fault]]:
    """Decode pictures as training does, on all cores; those that can be used, and why the others cannot."""
    seen: list[Seen] = []
    faults: list[Fault] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for part in _parts(outcomes, TOGETHER):
            for found in pool.map(lambda outcome: _look(outcome, images), part):
                if isinstance(found, Fault):
                    faults.append(found)
                elif found is not None:
                    seen.append(found)
    return seen, faults


def describe(seen: Sequence[Seen], faults: Sequence[Fault], images: ImagePrep) -> Pictures:
    """What is to be said of them."""
    least, long = images.config.size * SMALL, images.config.resize == "squash"
    return Pictures(
        looked_at=len(seen) + len(faults),
        unusable=tuple(faults),
        small=tuple(_sized(one) for one in seen if min(one.width, one.height) < least),
        large=tuple(_sized(one) for one in seen if one.width * one.height > SLOW * 1e6),
        long=tuple(
            _sized(one) for one in seen if long and max(one.width, one.height) > LONG * min(one.width, one.height)
        ),
        same=tuple(groups_of_same(seen)),
        sides=(_spread([one.width for one in seen]), _spread([one.height for one in seen])) if seen else None,
    )


def groups_of_same(seen: Iterable[Seen]) -> list[tuple[str, ...]]:
    """The keys of pictures that are one and the same, group by group."""
    groups: dict[bytes, list[str]] = defaultdict(list)
    for one in seen:
        groups[one.digest].append(one.sample.key)
    return [tuple(keys) for keys in groups.values() if len(keys) > 1]


def _look(outcome: Outcome, images: ImagePrep) -> Seen | Fault | None:
    if isinstance(outcome, SampleError):
        return Fault(outcome.key, outcome.reason)
    if outcome.image is None:
        return None
    try:
        found = read(outcome.image, outcome.key)
        pixels = images(found, outcome.key, None)
        if isinstance(found, bytes):
            header = EncodedPicture(found, outcome.key, round(images.config.max_megapixels * 1e6))
            width, height, content = header.width, header.height, found
        else:
            (height, width, _), content = found.shape, found.tobytes()
    except SampleError as error:
        return Fault(error.key, error.reason)
    return Seen(outcome, width, height, pixels, blake2b(content, digest_size=16).digest())


def _sized(one: Seen) -> Fault:
    return Fault(one.sample.key, f"{one.width} x {one.height}")


def _spread(values: Sequence[int]) -> tuple[int, int, int]:
    return min(values), round(float(np.median(values))), max(values)


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while part := list(islice(remaining, size)):
        yield part
