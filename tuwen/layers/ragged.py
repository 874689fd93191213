"""Rows of unequal lengths without padding between them.

What a Transformer does to each token alone (norms, linear layers: most of its work) does not care which row a token
belongs to. So the tokens of all rows are laid end to end, and only attention looks at rows: at a few buckets of rows
that are about equally long (as unpadding in Zeng et al. 2022, "Boosting distributed training performance of the
unpadded BERT model", arXiv:2208.08124, section 4, with buckets in the place of a kernel of its own).
Shapes: R rows, L tokens of the longest, S tokens laid, T with the filling, D width; n rows of l tokens in a bucket; G
groups of N tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

BUCKET = 2**20
"""A further bucket, a score of small operations, is made where it saves as many tokens times the square of their width:
16 tokens at a width of 256."""
SIZES = 32
"""Laid tokens are filled up to a multiple of the power of two that goes about so often into them. Few sizes occur then,
and on a CPU, where each new size of a product costs the making of a kernel, nearly all were met before."""
SLOTS = 8
"""The same for the tokens of a group: a multiple of this many."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Rows of a layout that follow each other.

    rows: how many. length: tokens laid for each. mask: bool `[n, l]`, True where there is a token; None where there is
    one everywhere. seen: bool, broadcastable to `[n, H, l, l]`, which tokens a token may read; None where all.
    there: bool `[n, 1, 1, l]`, which the last one of its row may; None where all.
    """

    rows: int
    length: int
    mask: Tensor | None
    seen: Tensor | None
    there: Tensor | None


@dataclass(frozen=True, slots=True)
class Ragged:
    """How rows are laid end to end, the shortest first.

    order: `[R]` int64, the padded batch's row in each of the layout's. place: `[S]` int64, where each laid token stands
    in the padded batch `[R · L]`; zeros come behind them, up to `size`. mask: bool `[R, L]` of the padded batch.
    """

    order: Tensor
    place: Tensor
    size: int
    mask: Tensor
    buckets: tuple[Bucket, ...]

    @classmethod
    def of(cls, mask: Tensor, width: int, causal: bool = False) -> Ragged:
        """Lay out rows with padding behind.

        mask: bool `[R, L]`. width: of the tokens; where they cost little, more padding pays. causal:
        whether a token reads only those of its row that come before it, and itself.
        """
        tokens, order = mask.sum(1).clamp(min=1).sort(stable=True)
        lengths = tokens.tolist()
        column = torch.arange(mask.shape[1], device=mask.device)
        places, buckets, first = [], [], 0
        for rows, length in cut(lengths, BUCKET // width**2):
            numbers = order[first : first + rows]
            places.append((numbers[:, None] * mask.shape[1] + column[:length]).flatten())
            real = None if lengths[first] == length else mask[numbers, :length]
            # A row without a token reads its first place all the same: a softmax over nothing is no number.
            there = None if real is None else (real | (column[:length] == 0))[:, None, None]
            # Where a token reads only what came before it, padding, which comes behind, is not seen anyway.
            seen = mask.new_ones(length, length).tril() if causal else there
            buckets.append(Bucket(rows, length, real, seen, there))
            first += rows
        if not lengths:
            places, buckets = [order], [Bucket(0, mask.shape[1], None, None, None)]
        place = torch.cat(places)
        return cls(order, place, _filled(len(place)), mask, tuple(buckets))

    def lay(self, values: Tensor) -> Tensor:
        """`[R, L, ...]` → `[1, T, ...]`."""
        return take(values.flatten(0, 1), self.place, self.size).unsqueeze(0)

    def spread(self, laid: Tensor) -> Tensor:
        """`[1, T, D]` → `[R, L, D]`, zeros where there is no token."""
        rows, length = self.mask.shape
        return put(laid[0], self.place, rows * length).view(rows, length, laid.shape[-1]) * self.mask.unsqueeze(-1)

    def each(self, laid: Tensor) -> Iterator[tuple[Tensor, Bucket]]:
        """`[1, T, D]` → the tokens `[n, l, D]` of each bucket."""
        counts = [bucket.length * bucket.rows for bucket in self.buckets]
        for part, bucket in zip(torch.split(laid[0, : len(self.place)], counts), self.buckets, strict=True):
            yield part.view(bucket.rows, bucket.length, laid.shape[-1]), bucket

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def within_rows(self, laid: Tensor, mix: Callable[[Tensor, Bucket], Tensor]) -> Tensor:
        """Let the tokens of a row read each other. mix: `[n, l, D]` → `[n, l, E]`. `[1, T, D]` → `[1, T, E]`."""
        mixed = [mix(part, bucket).flatten(0, 1) for part, bucket in self.each(laid)]
        filling = mixed[0].new_zeros(self.size - len(self.place), mixed[0].shape[-1])
        return torch.cat([*mixed, filling]).unsqueeze(0)

    def pool(self, laid: Tensor, pool: Callable[[Tensor, Tensor | None], Tensor]) -> Tensor:
        """One vector a row. pool: `[n, l, D]` and the bucket's mask → `[n, D]`. `[1, T, D]` → `[R, D]`."""
        return self.reordered(torch.cat([pool(part, bucket.mask) for part, bucket in self.each(laid)]))

    def reordered(self, rows: Tensor) -> Tensor:
        """One of each of the layout's rows, as they stand in the padded batch. `[R, ...]` → `[R, ...]`."""
        return rows[self.order.argsort()]

    @property
    def waste(self) -> float:
        """The share of the laid tokens that are padding."""
        return 1 - float(self.mask.sum()) / self.size


@dataclass(frozen=True, slots=True)
class Groups:
    """Laid tokens by the group that their row is in, for what all rows of a group read.

    slot: `[S]` int64, where each laid token stands in `[G · N]`. groups: G. length: N, room for the largest group.
    """

    layout: Ragged
    slot: Tensor
    groups: int
    length: int

    @classmethod
    def of(cls, layout: Ragged, groups: int) -> Groups:
        """Rows of the padded batch in so many groups, each of equally many rows that follow each other."""
        if not len(layout.place):
            return cls(layout, layout.place, groups, 0)
        there = layout.mask.new_zeros(layout.mask.numel()).index_fill(0, layout.place, True)
        upto = there.view(groups, len(layout.mask) // groups, layout.mask.shape[1]).flatten(1).cumsum(1)
        length = -(-int(upto[:, -1].max()) // SLOTS) * SLOTS
        start = torch.arange(groups, device=upto.device).unsqueeze(1) * length
        return cls(layout, (start + upto - 1).flatten()[layout.place], groups, length)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def within(self, laid: Tensor, mix: Callable[[Tensor], Tensor]) -> Tensor:
        """Change each group's tokens together. mix: `[G, N, D]` → `[G, N, E]`. `[1, T, D]` → `[1, T, E]`."""
        grouped = put(laid[0], self.slot, self.groups * self.length).view(self.groups, self.length, laid.shape[-1])
        return take(mix(grouped).flatten(0, 1), self.slot, self.layout.size).unsqueeze(0)


def take(values: Tensor, index: Tensor, rows: int) -> Tensor:
    """`values[index]`, with zeros behind them up to so many rows. No value may be taken twice."""
    taken: Tensor = _Take.apply(values, index, rows)  # type: ignore[no-untyped-call]
    return taken


def put(values: Tensor, index: Tensor, rows: int) -> Tensor:
    """The other way round: the first values, one for each index, in their places among so many rows of zeros."""
    return values.new_zeros(rows, *values.shape[1:]).index_copy(0, index, values[: len(index)])


class _Take(torch.autograd.Function):
    """PyTorch's own backward pass adds gradients up, one by one: it does not know that no value is taken twice."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, index: Tensor, rows: int) -> Tensor:
        ctx.save_for_backward(index)
        ctx.values = len(values)
        taken = values.new_zeros(rows, *values.shape[1:])
        taken[: len(index)] = values.index_select(0, index)
        return taken

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return put(gradient, index, ctx.values), None, None


def _filled(tokens: int) -> int:
    step = 1 << max(0, (tokens // SIZES).bit_length() - 1)
    return -(-tokens // step) * step


def cut(lengths: list[int], bucket: int) -> list[tuple[int, int]]:
    """Ascending lengths cut into buckets, as (rows, tokens of the longest): the fewest tokens laid, `bucket` more
    counted for each; by dynamic programming over the distinct lengths."""
    distinct, counts = np.unique(np.asarray(lengths), return_counts=True)
    upto = np.concatenate([[0], counts.cumsum()])
    least, begin = np.zeros(len(upto)), np.zeros(len(upto), np.int64)
    for end in range(1, len(upto)):
        costs = least[:end] + (upto[end] - upto[:end]) * distinct[end - 1] + bucket
        begin[end] = costs.argmin()
        least[end] = costs[begin[end]]
    found: list[tuple[int, int]] = []
    end = len(upto) - 1
    while end:
        found.append((int(upto[end] - upto[begin[end]]), int(distinct[end - 1])))
        end = int(begin[end])
    return found[::-1]
