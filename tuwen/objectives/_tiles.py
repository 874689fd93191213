"""Sums over all pairs of texts and pictures without the matrix of their logits: it is made and used tile by tile.

The forward pass keeps a number a row and a column, and the backward pass makes the tiles once more (as Dao et al. 2022,
FlashAttention, arXiv:2205.14135, section 3.1, does for attention), so that memory grows with R + P and not with R · P.
Shapes: R texts, P pictures, E width of the common space; the logits are `scale · texts @ images.T`, `[R, P]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

SIDE = 1024
"""Rows and columns of a tile: 4 MiB in float32, which stays in a processor's cache, and is enough work for a GPU."""

EXPONENT = 80.0
"""`exp` of it, and of minus it, is a normal number in float32."""


def log_sum_exps(texts: Tensor, images: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The logarithm of the sum of the exponentials of each row and of each column of the logits.

    Args:
        texts: `[R, E]`. images: `[P, E]`, P > 0. scale: scalar.

    Returns:
        `[R]` over the pictures and `[P]` over the texts (-inf where there is no text), with gradients; and `[R]` int64,
        the picture with the largest logit.
    """
    return _LogSumExps.apply(texts, images, scale)  # type: ignore[no-untyped-call]


def softplus_sum(texts: Tensor, images: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """`Σ log(1 + exp(logit + bias))` over all pairs: a scalar. Shapes as in `log_sum_exps`; bias: scalar."""
    return _SoftplusSum.apply(texts, images, scale, bias)  # type: ignore[no-untyped-call]


class _LogSumExps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, texts: Tensor, images: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        bound = _bound(texts, images, scale)
        over_images = texts.new_full((len(texts),), -torch.inf)
        over_texts = texts.new_full((len(images),), -torch.inf)
        highest = over_images.clone()
        nearest = torch.zeros(len(texts), dtype=torch.int64, device=texts.device)
        for rows, columns, logits in _tiles(texts, images, scale):
            largest, place = logits.max(1)
            better = largest > highest[rows]
            nearest[rows] = torch.where(better, place + columns.start, nearest[rows])
            highest[rows] = torch.maximum(highest[rows], largest)
            of_rows, of_columns = _log_sums(logits, largest, bound)
            over_images[rows] = torch.logaddexp(over_images[rows], of_rows)
            over_texts[columns] = torch.logaddexp(over_texts[columns], of_columns)
        ctx.save_for_backward(texts, images, scale, over_images, over_texts)
        ctx.bound = bound  # type: ignore[attr-defined]
        ctx.mark_non_differentiable(nearest)
        return over_images, over_texts, nearest

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, over_images: Tensor, over_texts: Tensor, _: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        texts, images, scale, row_sums, column_sums = ctx.saved_tensors
        gradient, bound = _Gradient(texts, images, scale), ctx.bound
        if bound is not None:  # exp(l - s) = exp(l - bound) · exp(bound - s): one exponential does for both directions
            of_rows = over_images * (bound - row_sums).exp()
            of_columns = over_texts * (bound - column_sums).exp()
        for rows, columns, logits in _tiles(texts, images, scale):
            if bound is not None:
                of_logits = (of_rows[rows, None] + of_columns[columns]).mul_(logits.sub_(bound).exp_())
            else:
                of_logits = (logits - row_sums[rows, None]).exp_().mul_(over_images[rows, None])
                of_logits += logits.sub_(column_sums[columns]).exp_().mul_(over_texts[columns])
            gradient.add(rows, columns, of_logits)
        return gradient.result()


class _SoftplusSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, texts: Tensor, images: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(texts, images, scale, bias)
        total = torch.zeros((), dtype=torch.float64, device=texts.device)
        for _, _, logits in _tiles(texts, images, scale):
            total += F.softplus(logits.add_(bias)).sum()
        return total.to(texts.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, over: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        texts, images, scale, bias = ctx.saved_tensors
        gradient = _Gradient(texts, images, scale)
        of_bias = torch.zeros_like(bias)
        for rows, columns, logits in _tiles(texts, images, scale):
            of_logits = logits.add_(bias).sigmoid_().mul_(over)
            of_bias += of_logits.sum()
            gradient.add(rows, columns, of_logits)
        return *gradient.result(), of_bias


class _Gradient:
    """Sums up the gradients of texts, pictures and scale from those of the tiles."""

    def __init__(self, texts: Tensor, images: Tensor, scale: Tensor) -> None:
        self.texts, self.images, self.scale = texts, images, scale
        self.of_texts, self.of_images = torch.zeros_like(texts), torch.zeros_like(images)

    def add(self, rows: slice, columns: slice, of_logits: Tensor) -> None:
        self.of_texts[rows].addmm_(of_logits, self.images[columns])
        self.of_images[columns].addmm_(of_logits.T, self.texts[rows])

    def result(self) -> tuple[Tensor, Tensor, Tensor]:
        of_scale = (self.of_texts * self.texts).sum()
        return self.of_texts.mul_(self.scale), self.of_images.mul_(self.scale), of_scale


def _tiles(texts: Tensor, images: Tensor, scale: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """Which rows, which columns, and their logits, whose memory is the caller's until the next tile comes."""
    with torch.autocast(texts.device.type, enabled=False):  # a logit of 100 has no digit behind its point in bfloat16
        for top in range(0, len(texts), SIDE):
            rows = slice(top, min(top + SIDE, len(texts)))
            scaled = texts[rows] * scale
            for left in range(0, len(images), SIDE):
                columns = slice(left, min(left + SIDE, len(images)))
                yield rows, columns, scaled @ images[columns].T


def _bound(texts: Tensor, images: Tensor, scale: Tensor) -> float | None:
    """What no logit exceeds, above or below; None where exponentials of twice as much would leave float32."""
    if not len(texts) or not len(images):
        return 0.0
    bound = float(scale.abs() * texts.norm(dim=1).max() * images.norm(dim=1).max())
    return bound if 2 * bound < EXPONENT else None


def _log_sums(logits: Tensor, largest: Tensor, bound: float | None) -> tuple[Tensor, Tensor]:
    """The logarithms of the sums of the exponentials, of each row and of each column. largest: of each row."""
    if bound is not None:
        exponentials = logits.sub_(bound).exp_()
        return exponentials.sum(1).log_().add_(bound), exponentials.sum(0).log_().add_(bound)
    highest = logits.amax(0)
    of_rows = (logits - largest[:, None]).exp_().sum(1).log_().add_(largest)
    return of_rows, logits.sub_(highest).exp_().sum(0).log_().add_(highest)
