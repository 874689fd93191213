"""Optimizers: one file a part. A part's `build(config, context)` takes `Trainable` and returns a list of optimizers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, slots=True)
class Trainable:
    """What there is to optimize.

    module: its parameters that require a gradient are trained.
    weight_decay: for matrices alone.
    betas: decay rates of the moving averages.

    An optimizer's parameter groups may have a `scale`, which multiplies the learning rate of the step.
    """

    module: nn.Module
    weight_decay: float
    betas: tuple[float, float]

    def parameters(self) -> list[nn.Parameter]:
        """Those that are trained, each once."""
        return [parameter for parameter in self.module.parameters() if parameter.requires_grad]
