"""Pictures among words: the one mark of a picture in a text makes room for its whole prefix."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuwen.core.batch import PICTURE


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Rows with their pictures in place. Shapes: R rows, L ids a row, M embeddings a row, D width.

    embeddings: `[R, M, D]`. segments: `[R, M]`, 0 where nothing stands.
    places: `[R, L]`, where each id has come to stand; for a picture, its first prefix token.
    """

    embeddings: Tensor
    segments: Tensor
    places: Tensor


def interleave(ids: Tensor, segments: Tensor, words: Tensor, prefixes: Tensor) -> Interleaved:
    """Put prefixes in the places of their marks, and move the words behind them on.

    Args:
        ids: `[R, L]`, `PICTURE` where a picture stands.
        segments: `[R, L]`.
        words: `[R, L, D]`, embeddings of the ids; those of pictures are not looked at.
        prefixes: `[S, T, D]`, one for each mark in reading order.
    """
    marks, tokens = ids == PICTURE, prefixes.shape[1]
    widths = torch.where(marks, tokens, 1)
    ends = widths.cumsum(1)
    places = ends - widths
    rows, length = len(ids), int(ends[:, -1].max())
    seen, column = marks.nonzero(as_tuple=True)
    filled = (seen[:, None], places[seen, column][:, None] + torch.arange(tokens, device=ids.device))
    read, there = (~marks).nonzero(as_tuple=True)
    moved = (read, places[read, there])
    blank = words.new_zeros(rows, length, words.shape[2])
    return Interleaved(
        embeddings=blank.index_put(moved, words[read, there]).index_put(filled, prefixes.to(words.dtype)),
        segments=segments.new_zeros(rows, length)
        .index_put(moved, segments[read, there])
        .index_put(filled, segments[seen, column][:, None].expand(-1, tokens)),
        places=places,
    )
