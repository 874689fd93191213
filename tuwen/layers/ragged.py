"""Rows of unequal lengths without padding between them.

What a Transformer does to each token alone (norms, linear layers: most of its work) does not care which row a token
belongs to. So the tokens of all rows are laid end to end, and only attention looks at rows: at a few buckets of rows
that are about equally long (as unpadding in Zeng et al. 2022, "Boosting distributed training performance of the
unpadded BERT model", arXiv:2208.08124, section 4, with buckets in the place of a kernel of its own).
Shapes: R rows, L tokens of the longest, T tokens laid, D width; n rows of l tokens in a bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

BUCKET = 2**20
"""A further bucket, a score of small operations, is made where it saves as many tokens times the square of their width:
16 tokens at a width of 256."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Rows of a layout that follow each other.

    rows: how many. length: tokens laid for each. mask: bool `[n, l]`, True where there is a token; None where there is
    one everywhere. seen: bool, broadcastable to `[n, H, l, l]`, which tokens a token may read; None where all.
    """

    rows: int
    length: int
    mask: Tensor | None
    seen: Tensor | None


@dataclass(frozen=True, slots=True)
class Ragged:
    """How rows are laid end to end, the shortest first.

    order: `[R]` int64, the padded batch's row in each of the layout's. place: `[T]` int64, where each laid token stands
    in the padded batch `[R · L]`. mask: bool `[R, L]` of the padded batch.
    """

    order: Tensor
    place: Tensor
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
            seen = None if real is None else (real | (column[:length] == 0))[:, None, None]
            if causal:  # then padding, which comes behind, is not seen anyway
                seen = mask.new_ones(length, length).tril()
            buckets.append(Bucket(rows, length, real, seen))
            first += rows
        if not lengths:
            places, buckets = [order], [Bucket(0, mask.shape[1], None, None)]
        return cls(order, torch.cat(places), mask, tuple(buckets))

    def lay(self, values: Tensor) -> Tensor:
        """`[R, L, ...]` → `[1, T, ...]`."""
        return values.flatten(0, 1)[self.place].unsqueeze(0)

    def spread(self, laid: Tensor) -> Tensor:
        """`[1, T, D]` → `[R, L, D]`, zeros where there is no token."""
        rows, length = self.mask.shape
        padded = laid.new_zeros(rows * length, laid.shape[-1]).index_copy(0, self.place, laid[0])
        return padded.view(rows, length, laid.shape[-1]) * self.mask.unsqueeze(-1)

    def each(self, laid: Tensor) -> Iterator[tuple[Tensor, Bucket]]:
        """`[1, T, D]` → the tokens `[n, l, D]` of each bucket."""
        counts = [bucket.length * bucket.rows for bucket in self.buckets]
        for part, bucket in zip(torch.split(laid[0], counts), self.buckets, strict=True):
            yield part.view(bucket.rows, bucket.length, laid.shape[-1]), bucket

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def within_rows(self, laid: Tensor, mix: Callable[[Tensor, Bucket], Tensor]) -> Tensor:
        """Let the tokens of a row read each other. mix: `[n, l, D]` → `[n, l, E]`. `[1, T, D]` → `[1, T, E]`."""
        return torch.cat([mix(part, bucket).flatten(0, 1) for part, bucket in self.each(laid)]).unsqueeze(0)

    def pool(self, laid: Tensor, pool: Callable[[Tensor, Tensor | None], Tensor]) -> Tensor:
        """One vector a row. pool: `[n, l, D]` and the bucket's mask → `[n, D]`. `[1, T, D]` → `[R, D]`."""
        pooled = torch.cat([pool(part, bucket.mask) for part, bucket in self.each(laid)])
        return pooled[self.order.argsort()]

    @property
    def waste(self) -> float:
        """The share of the laid tokens that are padding."""
        return 1 - float(self.mask.sum()) / len(self.place)


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
