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
    sharded: whether this process has but a share of each parameter.

    An optimizer's parameter groups may have a `scale`, which multiplies the learning rate of the step.
    """

    module: nn.Module
    weight_decay: float
    betas: tuple[float, float]
    scales: Mapping[int, float] = field(default_factory=dict)
    sharded: bool = False

    def parameters(self) -> list[nn.Parameter]:
        """Those that are trained, each once."""
        return [parameter for parameter in self.module.parameters() if parameter.requires_grad]

    def groups(self, parameters: Sequence[nn.Parameter], **settings: Any) -> list[dict[str, Any]]:
        """Parameter groups with the same settings, one for each scale of the learning rate; none without parameters.

        Where parameters are shared out among processes, those that are not have groups of their own.
        """
        found: dict[tuple[float, bool], list[nn.Parameter]] = {}
        for parameter in parameters:
            kind = self.scales.get(id(parameter), 1.0), self.sharded and not parameter.ndim
            found.setdefault(kind, []).append(parameter)
        ordered = sorted(found.items(), key=lambda item: (-item[0][0], item[0][1]))
        return [{"params": own, "scale": scale, **settings} for (scale, _), own in ordered]
