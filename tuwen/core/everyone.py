"""Rows of all processes that train together, with gradients. Alone, all of it is free.

Each process sums the loss of its own rows, and the gradients of all processes are added up (`tuwen.train.processes`):
so what a process contributes to the losses of the others comes back to it here, as a sum.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gather_numbers(*numbers: int, device: torch.device) -> Tensor:
    """`[W, n]` int64: the numbers of each process."""
    own = torch.tensor([numbers], device=device)
    return gather(own, [1] * world())


def gather(rows: Tensor, counts: list[int]) -> Tensor:
    """`[own, ...]` → `[sum of counts, ...]`: the rows of all processes in their order, with gradients.

    Every process must ask, also one that has no rows. counts: how many rows each process has.
    """
    return _Gather.apply(rows, counts)  # type: ignore[no-untyped-call]


def own_rows(counts: list[int]) -> slice:
    """Which of the gathered rows are this process's."""
    before = sum(counts[: dist.get_rank()])
    return slice(before, before + counts[dist.get_rank()])


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor, counts: list[int]) -> Tensor:
        ctx.own = own_rows(counts)  # type: ignore[attr-defined]
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        everyone = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(everyone, padded)
        return torch.cat([each[:count] for each, count in zip(everyone, counts, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total[ctx.own], None
