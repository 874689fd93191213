"""Positions as rotations of queries and keys (Su et al. 2021, RoFormer, arXiv:2104.09864, eq. 34)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BASE = 10_000.0
"""The wavelengths go from 2π to 2π times this, in a geometric row."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Angles of the positions of some tokens. cos, sin: `[B, 1, L, d / 2]`, for heads of width d."""

    cos: Tensor
    sin: Tensor

    @classmethod
    def of(cls, positions: Tensor, width: int) -> Rotation:
        """The rotation of positions `[B, L]` for heads of an even width."""
        steps = torch.arange(0, width, 2, device=positions.device, dtype=torch.float32)
        angles = positions[:, None, :, None] * BASE ** (-steps / width)
        return cls(angles.cos(), angles.sin())

    def at(self, tokens: Tensor) -> Rotation:
        """That of some tokens of each row alone, `[B, Q]`."""
        places = tokens[:, None, :, None].expand(-1, -1, -1, self.cos.shape[-1])
        return Rotation(self.cos.gather(2, places), self.sin.gather(2, places))

    def __call__(self, x: Tensor) -> Tensor:
        """`[B, H, L, d]` → the same: each pair (i, i + d/2) turned, so that products tell distances alone."""
        first, second = x.chunk(2, -1)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)
