"""Each pair of picture and text is a yes-or-no question (Zhai et al. 2023, SigLIP, arXiv:2303.15343, algorithm 1)."""

from __future__ import annotations

import torch

from tuwen.core.loss import Loss
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveContext
from tuwen.objectives._pairs import Pairs, PairsConfig, PairsTerm
from tuwen.objectives._tiles import softplus_sum


class Config(PairsConfig):
    """stream: the texts."""


class Sigmoid(PairsTerm):
    """`-Σ log σ(z (t·xᵀy + b))` over all pairs, z = ±1, summed over the text rows.

    As `-log σ(-l) = log(1 + eˡ)` and `-log σ(l) = log(1 + eˡ) - l`, the sum runs over all pairs alike, and the logits
    of the right ones are taken off.
    """

    def loss(self, forward: Forward, pairs: Pairs) -> Loss:
        bias: torch.Tensor = forward.model.require("logit_bias")
        all_pairs = softplus_sum(pairs.texts, pairs.images, forward.scale, bias)
        right = pairs.to_right_pictures(torch.ones_like(pairs.right[0], dtype=all_pairs.dtype)).sum() * forward.scale
        right_biases = pairs.pictures_of_text[pairs.distinct].sum() * bias
        count = torch.tensor(float(len(pairs.texts)), device=all_pairs.device)
        return Loss(all_pairs - right - right_biases, count, {"scale": forward.scale.detach()})


def build(config: Config, context: ObjectiveContext) -> Sigmoid:
    return Sigmoid(config)
