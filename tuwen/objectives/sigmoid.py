"""Each pair of picture and text is a yes-or-no question (Zhai et al. 2023, SigLIP, arXiv:2303.15343, algorithm 1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tuwen.core.batch import Batch
from tuwen.core.loss import Loss
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term, rows
from tuwen.objectives.contrastive import positives


class Config(ObjectiveConfig):
    """stream: the texts."""

    stream: str = "retrieve"


class Sigmoid(Term[Config]):
    """`-Σ log σ(z (t·xᵀy + b))` over all pairs, z = ±1, summed over the text rows."""

    def count(self, batch: Batch) -> float:
        return rows(batch, self.config.stream)

    def __call__(self, forward: Forward) -> Loss:
        logits = forward.scale * forward.similarity(self.config.stream) + forward.model.require("logit_bias")
        positive = positives(forward.stream(self.config.stream), logits.shape[1])
        losses = -F.logsigmoid(torch.where(positive, logits, -logits)).sum(1)
        return Loss.over(losses, scale=forward.scale)


def build(config: Config, context: ObjectiveContext) -> Sigmoid:
    return Sigmoid(config)
