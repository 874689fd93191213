"""Optimizers: one file a part. A part's `build(config, context)` takes `Trainable` and returns a list of optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn


@dataclass(frozen=True, slots=True)
class Trainable:
    """What there is to optimize.

    module: its parameters that require a gradient are trained.
    weight_decay: for matrices alone.
    betas: decay rates of the moving averages.
    scales: by the id of a parameter, what its learning rate is multiplied by; 1 for one that is not there.

    An optimizer's parameter groups may have a `scale`, which multiplies the learning rate of the step.
    """

    module: nn.Module
    weight_decay: float
    betas: tuple[float, float]
    scales: Mapping[int, float] = field(default_factory=dict)

    def parameters(self) -> list[nn.Parameter]:
        """Those that are trained, each once."""
        return [parameter for parameter in self.module.parameters() if parameter.requires_grad]

    def groups(self, parameters: Sequence[nn.Parameter], **settings: Any) -> list[dict[str, Any]]:
        """Parameter groups with the same settings, one for each scale of the learning rate; none without parameters."""
        scales = sorted({self.scales.get(id(parameter), 1.0) for parameter in parameters}, reverse=True)
        return [
            {"params": [p for p in parameters if self.scales.get(id(p), 1.0) == scale], "scale": scale, **settings}
            for scale in scales
        ]
