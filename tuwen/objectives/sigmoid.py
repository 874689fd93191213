"""Each pair of picture and text is a yes-or-no question (Zhai et al. 2023, SigLIP, arXiv:2303.15343, algorithm 1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tuwen.core.batch import Batch
from tuwen.core.loss import Loss
from tuwen.models.forward import Forward
from tuwen.models.model import MAX_LOGIT_SCALE
from tuwen.objectives import Objective, ObjectiveConfig, rows
from tuwen.objectives.contrastive import positives


class Config(ObjectiveConfig):
    """stream: the texts."""

    stream: str = "retrieve"


class Sigmoid(Objective[Config]):
    """`-Σ log σ(z (t·xᵀy + b))` over all pairs, z = ±1, summed over the text rows."""

    def count(self, batch: Batch) -> float:
        return rows(batch, self.config.stream)

    def __call__(self, forward: Forward) -> Loss:
        model = forward.model
        scale = model.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
        similarity = forward.text_embedding(self.config.stream) @ forward.image_embedding.T
        logits = scale * similarity + model.logit_bias
        positive = positives(forward.stream(self.config.stream), logits.shape[1])
        losses = -F.logsigmoid(torch.where(positive, logits, -logits)).sum(1)
        return Loss.over(losses, scale=scale)


def build(config: Config, context: object = None) -> Sigmoid:
    return Sigmoid(config)
