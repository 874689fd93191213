"""From one vector a token to one vector for the whole."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_pool(tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean over real tokens. `[B, N, D]` and bool `[B, N]` → `[B, D]`."""
    if mask is None:
        return tokens.mean(1)
    weights = mask.to(tokens.dtype).unsqueeze(-1)
    return (tokens * weights).sum(1) / weights.sum(1).clamp(min=1)


def max_pool(tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """The largest value of each channel over real tokens. `[B, N, D]` and bool `[B, N]` → `[B, D]`."""
    if mask is not None:
        tokens = tokens.masked_fill(~mask.unsqueeze(-1), float("-inf"))
    return tokens.amax(1)


POOLS = {"mean": mean_pool, "max": max_pool}
"""Pooling without weights, by the name that a recipe gives it."""


def last_pool(tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """The last real token of each row (rows are padded behind). `[B, N, D]` and bool `[B, N]` → `[B, D]`."""
    if mask is None:
        return tokens[:, -1]
    last = mask.sum(1).clamp(min=1) - 1
    return tokens[torch.arange(len(tokens), device=tokens.device), last]
