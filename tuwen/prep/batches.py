"""Rows to padded tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuwen.core.batch import PICTURE, Batch, Phrases, Row, TextBatch
from tuwen.core.errors import DataError
from tuwen.core.sample import Rectangle

IGNORE = -100
"""The class of a row or picture whose class is not known; no loss looks at it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One sample, ready to be batched.

    pixels: `[H, W, 3]` uint8, or None for a text without a picture.
    rows: for each stream, the texts of this sample.
    target: class of the picture, or None. tags: for each class whether it fits (1, 0, or `IGNORE`), or None.
    view: the picture once more, otherwise augmented, or None.
    """

    key: str
    pixels: NDArray[np.uint8] | None = None
    rows: dict[str, list[Row]] = field(default_factory=dict)
    target: int | None = None
    tags: Sequence[int] | None = None
    view: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Together:
    """Samples of a batch that stand one after the other in one text: pictures among words.

    fewest, most: samples of one text, but for texts that are full before. start: the ids that a text begins with.
    room: positions of one text at most, beside those of its first picture; None for any number.
    picture: positions of a picture, as many as its prefix has tokens.
    """

    fewest: int
    most: int
    start: tuple[int, ...]
    room: int | None = None
    picture: int = 1

    def fitting(self, rows: Sequence[Row]) -> int:
        """How many of the first rows a text has room for; a text has one at least."""
        if self.room is None:
            return len(rows)
        room = self.room + self.picture - len(self.start)
        ends = accumulate(len(row.ids) + row.ids.count(PICTURE) * (self.picture - 1) for row in rows)
        return max(1, sum(end <= room for end in ends))


def collate(
    samples: Sequence[Encoded],
    pad: int,
    packed: frozenset[str] = frozenset(),
    together: Mapping[str, Together] | None = None,
) -> Batch:
    """Put samples into one batch.

    Args:
        samples: with a picture or without. Those without are texts by themselves: their rows have the picture -1.
        pad: the id that fills rows up.
        packed: streams for a language model. The texts of one picture share a row, each a segment of its own, so that
            the picture's prefix is read once for all of them. Texts without a picture share rows that are as long as
            the longest of them, so that next to nothing is padding.
        together: streams whose samples stand together in texts; how many in each is drawn from their keys, and those
            that a text has no room for begin the next.

    Returns:
        A batch whose rows are in the order of the samples (but for packed texts without a picture); rows are padded to
        the longest row of their stream.

    Raises:
        DataError: some pictures have a second view and some have not.
    """
    seen = [sample for sample in samples if sample.pixels is not None]
    streams = sorted({stream for sample in samples for stream in sample.rows})
    joined = {name: _join(samples, name, pad, how) for name, how in (together or {}).items() if name in streams}
    targets = [sample.target for sample in seen]
    views = [sample.view for sample in seen if sample.view is not None]
    if views and len(views) < len(seen):
        raise DataError("a batch has a second view for all of its pictures or for none.")
    return Batch(
        pixels=_stack([sample.pixels for sample in seen if sample.pixels is not None]),
        texts={
            stream: joined.get(stream) or _collate_stream(samples, stream, pad, stream in packed) for stream in streams
        },
        target=None if all(target is None for target in targets) else _targets(targets),
        tags=_tags([sample.tags for sample in seen]),
        views=_stack(views),
        keys=tuple(sample.key for sample in samples),
    )


def _collate_stream(samples: Sequence[Encoded], stream: str, pad: int, packed: bool) -> TextBatch:
    groups: list[list[Row]] = []
    owners: list[int] = []
    alone: list[Row] = []
    pictures = 0
    for sample in samples:
        rows = sample.rows.get(stream, [])
        owner = -1 if sample.pixels is None else pictures
        pictures += sample.pixels is not None
        if packed and owner < 0:
            alone += rows
            continue
        row_groups = ([rows] if rows else []) if packed else [[row] for row in rows]
        groups += row_groups
        owners += [owner] * len(row_groups)
    filled = _fill(alone)
    owners += [-1] * len(filled)
    return _pad_groups([*groups, *filled], owners, pad, _uniform(owners, pictures))


def _join(samples: Sequence[Encoded], stream: str, pad: int, how: Together) -> TextBatch:
    """Texts of several samples each. A sample's row has one `PICTURE`, its own, or none where it has no picture."""
    pictures = accumulate((sample.pixels is not None for sample in samples), initial=0)
    rows = [
        (row, number) for sample, number in zip(samples, pictures, strict=False) for row in sample.rows.get(stream, [])
    ]
    rng = np.random.default_rng(crc32("\n".join(sample.key for sample in samples).encode()))
    groups: list[list[Row]] = []
    slots: list[int] = []
    while rows:
        size = int(rng.integers(how.fewest, how.most + 1))
        size = how.fitting([row for row, _ in rows[:size]])
        taken, rows = rows[:size], rows[size:]
        slots += [number for row, number in taken for token in row.ids if token == PICTURE]
        groups.append([_one_after_the_other([row for row, _ in taken], how.start)])
    return replace(_pad_groups(groups, [-1] * len(groups), pad, None), slots=torch.tensor(slots, dtype=torch.int64))


def _one_after_the_other(rows: Sequence[Row], start: Sequence[int]) -> Row:
    ids = [*start, *(token for row in rows for token in row.ids)]
    learned = [learn for row in rows for learn in row.loss_mask or [False] * len(row.ids)]
    return Row(ids, [False] * len(start) + learned)


def _fill(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows in groups no longer than the longest row: each goes into the first that has room, long ones first."""
    groups: list[list[Row]] = []
    room: list[int] = []
    longest = max((len(row.ids) for row in rows), default=0)
    for row in sorted(rows, key=lambda row: -len(row.ids)):
        place = next((place for place, left in enumerate(room) if left >= len(row.ids)), len(groups))
        if place == len(groups):
            groups.append([])
            room.append(longest)
        groups[place].append(row)
        room[place] -= len(row.ids)
    return groups


def _uniform(owners: list[int], images: int) -> int | None:
    """K where each picture has exactly K rows, one picture's after the other's; else None."""
    if not owners or not images or len(owners) % images:
        return None
    each = len(owners) // images
    return each if owners == [number for number in range(images) for _ in range(each)] else None


def _pad_groups(groups: list[list[Row]], owners: list[int], pad: int, rows_per_image: int | None) -> TextBatch:
    rows = [row for group in groups for row in group]
    lengths = np.array([sum(len(row.ids) for row in group) for group in groups], np.int64)
    there = np.arange(lengths.max(initial=0)) < lengths[:, None]
    ids, segments, loss_mask = np.full(there.shape, pad, np.int64), there.astype(np.int64), np.zeros_like(there)
    ids[there] = [token for row in rows for token in row.ids]
    if len(rows) > len(groups):
        numbers = [number for group in groups for number in range(1, len(group) + 1)]
        segments[there] = np.repeat(numbers, [len(row.ids) for row in rows])
    learned = any(row.loss_mask is not None for row in rows)
    if learned:
        loss_mask[there] = [learn for row in rows for learn in row.loss_mask or [False] * len(row.ids)]
    return TextBatch(
        ids=torch.from_numpy(ids),
        segments=torch.from_numpy(segments),
        image=torch.tensor(owners, dtype=torch.int64),
        loss_mask=torch.from_numpy(loss_mask) if learned else None,
        target=None if all(row.target is None for row in rows) else _targets([row.target for row in rows]),
        rows_per_image=rows_per_image,
        phrases=_phrases(rows, there.shape) if len(rows) == len(groups) else None,
    )


def _phrases(rows: Sequence[Row], shape: tuple[int, int]) -> Phrases | None:
    """Of rows that stand alone; a phrase of which no token is left counts as none."""
    known = [row.phrases for row in rows if row.phrases is not None]
    most = max((len(phrases.boxes) for phrases in known), default=0)
    if not most:
        return None
    things = max(len(boxes) for phrases in known for boxes in phrases.boxes)
    of = np.zeros(shape, np.int64)
    number = np.full((len(rows), most), -1, np.int64)
    box = np.zeros((len(rows), most, max(1, things), 4), np.float32)
    for place, phrases in enumerate(row.phrases for row in rows):
        if phrases is None:
            continue
        of[place, : len(phrases.of)] = phrases.of
        for phrase, boxes in enumerate(phrases.boxes):
            if phrase + 1 in phrases.of:
                number[place, phrase] = len(boxes)
                for thing, xyxy in enumerate(sorted(boxes, key=_middle)):
                    box[place, phrase, thing] = xyxy
    return Phrases(torch.from_numpy(of), torch.from_numpy(number), torch.from_numpy(box))


def _middle(box: Rectangle) -> float:
    """Twice how far from the left it is."""
    return box[0] + box[2]


def _stack(pictures: Sequence[NDArray[np.uint8]]) -> Tensor | None:
    return torch.from_numpy(np.stack(pictures)) if pictures else None


def _tags(values: Sequence[Sequence[int] | None]) -> Tensor | None:
    """`[P, C]`, or None where nothing is known."""
    classes = next((len(value) for value in values if value is not None), 0)
    if not classes:
        return None
    return torch.tensor([[IGNORE] * classes if value is None else list(value) for value in values], dtype=torch.int64)


def _targets(values: Sequence[int | None]) -> Tensor:
    return torch.tensor([IGNORE if value is None else value for value in values], dtype=torch.int64)
