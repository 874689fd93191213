"""How much a class counts in a loss, by how rare it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Scheme = Literal["none", "inverse", "effective"]


def class_weights(counts: Sequence[int], scheme: Scheme, beta: float) -> Tensor:
    """A factor for each class, `[C]` float32. A class that was not met counts as one that occurs once.

    `inverse`: one over how often it occurs (King and Zeng 2001, "Logistic regression in rare events data").
    `effective`: one over the effective number of its samples, `(1 - βⁿ) / (1 - β)` (Cui et al. 2019, arXiv:1901.05555,
    eq. 2): samples of a common class say less and less that is new. β = 0 weighs all classes alike, β → 1 inversely.

    The mean over the training samples is 1, so that the loss keeps its size.
    """
    often = torch.tensor(counts, dtype=torch.float64)
    met = often.clamp(min=1)
    number = {
        "none": torch.ones_like(often),
        "inverse": met,
        "effective": (1 - beta**met) / (1 - beta),
    }[scheme]
    raw = 1 / number
    return (raw * often.sum() / (raw * often).sum().clamp(min=1e-12)).float()
