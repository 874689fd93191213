"""How precisely what was computed in fewer bits goes on."""

from __future__ import annotations

import torch
from torch import Tensor


def precise(numbers: Tensor) -> Tensor:
    """The same numbers in float32 at least: a norm or a logarithm of bf16 numbers is too coarse to learn from."""
    return numbers if numbers.dtype == torch.float64 else numbers.float()
