"""Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) for the matrices of linear layers, AdamW for the rest.

The update of a matrix is scaled to the size of AdamW's (Liu et al. 2025, arXiv:2502.16982), so that one learning rate
and one weight decay serve both.
"""

from __future__ import annotations

from pydantic import PositiveFloat, PositiveInt
from torch import nn
from torch.optim import Muon, Optimizer

from tuwen.core.rooms import PartConfig
from tuwen.train.optimizers import Trainable
from tuwen.train.optimizers.adamw import adamw


class Config(PartConfig):
    """momentum: of Muon. iterations: Newton-Schulz steps of one update. eps: of AdamW."""

    momentum: PositiveFloat = 0.95
    iterations: PositiveInt = 5
    eps: PositiveFloat = 1e-8


def build(config: Config, context: Trainable) -> list[Optimizer]:
    """Muon where a weight maps one vector to another; AdamW for embeddings, convolutions, positions, biases, gains."""
    tied = {id(m.weight) for m in context.module.modules() if isinstance(m, nn.Embedding)}
    linear = {id(m.weight) for m in context.module.modules() if isinstance(m, nn.Linear)} - tied
    matrices = [p for p in context.parameters() if id(p) in linear]
    others = [p for p in context.parameters() if id(p) not in linear]
    optimizers: list[Optimizer] = []
    if matrices:
        optimizers.append(
            Muon(
                matrices,
                lr=0.0,
                weight_decay=context.weight_decay,
                momentum=config.momentum,
                ns_steps=config.iterations,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    if others:
        optimizers.append(adamw(others, context, config.eps))
    return optimizers
