"""Rows to padded tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuwen.core.batch import Batch, Row, TextBatch
from tuwen.core.errors import DataError

IGNORE = -100
"""The class of a row or picture whose class is not known; no loss looks at it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One sample, ready to be batched.

    pixels: `[H, W, 3]` uint8, or None for a text without a picture.
    rows: for each stream, the texts of this sample.
    target: class of the picture, or None.
    """

    key: str
    pixels: NDArray[np.uint8] | None = None
    rows: dict[str, list[Row]] = field(default_factory=dict)
    target: int | None = None


def collate(samples: Sequence[Encoded], pad: int, packed: frozenset[str] = frozenset()) -> Batch:
    """Put samples into one batch.

    Args:
        samples: all with a picture, or all without.
        pad: the id that fills rows up.
        packed: streams in which the texts of one picture share a row, each a segment of its own, because a language
            model then reads the picture's prefix once for all of them.

    Returns:
        A batch whose rows are in the order of the samples; rows are padded to the longest row of their stream.

    Raises:
        DataError: some samples have a picture and some have not.
    """
    images = [sample.pixels for sample in samples if sample.pixels is not None]
    if images and len(images) < len(samples):
        blind = ", ".join(sample.key for sample in samples if sample.pixels is None)
        raise DataError(f"a batch has pictures for all of its samples or for none, and there is none for {blind}.")
    streams = sorted({stream for sample in samples for stream in sample.rows})
    targets = [sample.target for sample in samples]
    return Batch(
        pixels=torch.from_numpy(np.stack(images)) if images else None,
        texts={stream: _collate_stream(samples, stream, pad, stream in packed) for stream in streams},
        target=None if all(target is None for target in targets) else _targets(targets),
        keys=tuple(sample.key for sample in samples),
    )


def _collate_stream(samples: Sequence[Encoded], stream: str, pad: int, packed: bool) -> TextBatch:
    groups: list[list[Row]] = []
    owners: list[int] = []
    for number, sample in enumerate(samples):
        rows = sample.rows.get(stream, [])
        row_groups = ([rows] if rows else []) if packed else [[row] for row in rows]
        groups += row_groups
        owners += [number if sample.pixels is not None else -1] * len(row_groups)
    rows_per_image = _uniform(owners, len(samples))
    return _pad_groups(groups, owners, pad, rows_per_image)


def _uniform(owners: list[int], images: int) -> int | None:
    """K where each picture has exactly K rows, one picture's after the other's; else None."""
    if not owners or len(owners) % images:
        return None
    each = len(owners) // images
    return each if owners == [number for number in range(images) for _ in range(each)] else None


def _pad_groups(groups: list[list[Row]], owners: list[int], pad: int, rows_per_image: int | None) -> TextBatch:
    lengths = [sum(len(row.ids) for row in group) for group in groups]
    shape = (len(groups), max(lengths, default=0))
    ids = np.full(shape, pad, np.int64)
    segments = np.zeros(shape, np.int64)
    loss_mask = np.zeros(shape, bool)
    for place, group in enumerate(groups):
        start = 0
        for segment, row in enumerate(group, start=1):
            end = start + len(row.ids)
            ids[place, start:end] = row.ids
            segments[place, start:end] = segment
            if row.loss_mask is not None:
                loss_mask[place, start:end] = row.loss_mask
            start = end
    rows = [row for group in groups for row in group]
    return TextBatch(
        ids=torch.from_numpy(ids),
        segments=torch.from_numpy(segments),
        image=torch.tensor(owners, dtype=torch.int64),
        loss_mask=None if all(row.loss_mask is None for row in rows) else torch.from_numpy(loss_mask),
        target=None if all(row.target is None for row in rows) else _targets([row.target for row in rows]),
        rows_per_image=rows_per_image,
    )


def _targets(values: Sequence[int | None]) -> Tensor:
    return torch.tensor([IGNORE if value is None else value for value in values], dtype=torch.int64)
