"""Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) for matrices and convolutions, AdamW for the rest.

The momentum of a weight, read as a matrix of outputs × inputs, is replaced by the nearest matrix whose singular values
are all about one. The update is then scaled to the size of AdamW's (Liu et al. 2025, arXiv:2502.16982, eq. 4), so that
one learning rate and one weight decay serve both. PyTorch has a Muon too, which takes no convolutions and one matrix
at a time; here those of one shape go through the iteration together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.optim import Optimizer

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import PartConfig
from tuwen.train.optimizers import Trainable
from tuwen.train.optimizers.adamw import adamw

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic whose iteration drives singular values to about one, as fast as can be."""


class Config(PartConfig):
    """momentum: of Muon. iterations: Newton-Schulz steps of one update. eps: of AdamW."""

    momentum: float = Field(default=0.95, gt=0, lt=1)
    iterations: PositiveInt = 5
    eps: PositiveFloat = 1e-8


class Muon(Optimizer):
    """Momentum, orthogonalised. Parameters need two dimensions at least; those behind the first are read as inputs."""

    def __init__(self, params: Iterable[dict[str, Any]], momentum: float, iterations: int, weight_decay: float) -> None:
        super().__init__(params, {"lr": 0.0, "weight_decay": weight_decay})
        self.momentum = momentum
        self.iterations = iterations

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update, with Nesterov's momentum."""
        for group in self.param_groups:
            for weights in _by_shape(group["params"]):
                updates = torch.stack([self._advance(weight) for weight in weights])
                directions = orthogonalise(updates, self.iterations)
                scale = 0.2 * max(updates.shape[1:]) ** 0.5
                for weight, direction in zip(weights, directions, strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(direction.view_as(weight), alpha=-group["lr"] * scale)

    def _advance(self, weight: nn.Parameter) -> Tensor:
        assert weight.grad is not None
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(weight.grad, 1 - self.momentum)
        return weight.grad.lerp(state["momentum"], self.momentum).flatten(1)


def orthogonalise(matrices: Tensor, iterations: int = 5) -> Tensor:
    """`[K, A, B]` → `[K, A, B]`, each matrix `U S Vᵀ` turned into about `U Vᵀ`, computed in bf16."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(iterations):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


def _by_shape(parameters: Iterable[nn.Parameter]) -> Iterable[list[nn.Parameter]]:
    groups: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
    for parameter in parameters:
        if parameter.grad is not None:
            groups[len(parameter), parameter[0].numel()].append(parameter)
    return groups.values()


def build(config: Config, context: Trainable) -> list[Optimizer]:
    """Muon where a weight maps one vector to another; AdamW for embeddings, positions, biases, gains.

    Raises:
        RecipeError: each process has but a share of the matrices.
    """
    if context.sharded:
        raise RecipeError("train.optimizer muon: needs whole matrices; use kind: adamw where training is sharded.")
    tied = {id(m.weight) for m in context.module.modules() if isinstance(m, nn.Embedding)}
    maps = {id(m.weight) for m in context.module.modules() if isinstance(m, nn.Linear | nn.Conv2d)} - tied
    matrices = [p for p in context.parameters() if id(p) in maps]
    others = [p for p in context.parameters() if id(p) not in maps]
    optimizers: list[Optimizer] = []
    if matrices:
        groups = context.groups(matrices)
        optimizers.append(Muon(groups, config.momentum, config.iterations, context.weight_decay))
    if others:
        optimizers.append(adamw(others, context, config.eps))
    return optimizers
