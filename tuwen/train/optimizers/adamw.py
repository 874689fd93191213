"""AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101); only matrices decay."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import PositiveFloat
from torch import nn
from torch.optim import AdamW, Optimizer

from tuwen.core.rooms import PartConfig
from tuwen.train.optimizers import Trainable


class Config(PartConfig):
    """eps: added to the root of the second moment."""

    eps: PositiveFloat = 1e-8


def build(config: Config, context: Trainable) -> list[Optimizer]:
    """One AdamW over all that is trained."""
    return [adamw(context.parameters(), context, config.eps)]


def adamw(parameters: Sequence[nn.Parameter], context: Trainable, eps: float) -> Optimizer:
    """AdamW over some parameters: weights of two and more dimensions decay; biases, gains and temperatures do not."""
    groups = [
        *context.groups([p for p in parameters if p.ndim >= 2], weight_decay=context.weight_decay),
        *context.groups([p for p in parameters if p.ndim < 2], weight_decay=0.0),
    ]
    fused = all(p.device.type in ("cpu", "cuda") and torch.is_floating_point(p) for p in parameters)
    return AdamW(groups, lr=0.0, betas=context.betas, eps=eps, fused=fused)
