"""What an objective returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss as a sum over items, so that accumulation and uneven processes stay exact.

    sum: scalar with gradient, summed over the items of this batch.
    count: how many items were summed (pairs, rows or tokens), a float scalar without gradient.
    parts: detached numbers worth plotting, by name (already averages).
    """

    sum: Tensor
    count: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)

    @property
    def mean(self) -> Tensor:
        """Scalar: the loss an item; 0 where there is no item."""
        return self.sum / self.count.clamp(min=1)

    @classmethod
    def over(cls, items: Tensor, **parts: Tensor) -> Loss:
        """The loss of per-item losses of any shape."""
        count = torch.tensor(float(items.numel()), device=items.device)
        return cls(items.sum(), count, {name: value.detach() for name, value in parts.items()})
