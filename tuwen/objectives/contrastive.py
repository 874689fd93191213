"""Pictures and texts that belong together are close, all others far (Radford et al. 2021, arXiv:2103.00020, fig. 3).

A picture may have several texts, and two pictures the same text: each text with the ids of one of a picture's texts is
right for that picture, and the picture's loss is the mean over its right texts (Khosla et al. 2020, SupCon,
arXiv:2004.11362, eq. 2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.core.batch import Batch, TextBatch
from tuwen.core.loss import Loss
from tuwen.models.forward import Forward
from tuwen.models.model import MAX_LOGIT_SCALE
from tuwen.objectives import Objective, ObjectiveConfig, rows


class Config(ObjectiveConfig):
    """stream: the texts."""

    stream: str = "retrieve"


class Contrastive(Objective[Config]):
    """The mean of both directions, summed over the text rows."""

    def count(self, batch: Batch) -> float:
        return rows(batch, self.config.stream)

    def __call__(self, forward: Forward) -> Loss:
        text = forward.stream(self.config.stream)
        scale = forward.model.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
        logits = scale * forward.text_embedding(self.config.stream) @ forward.image_embedding.T
        positive = positives(text, logits.shape[1])
        text_to_image = soft_cross_entropy(logits, positive)
        image_to_text = soft_cross_entropy(logits.T, positive.T)
        count = len(logits)
        total = (text_to_image.sum() + image_to_text.mean() * count) / 2
        right = (positive.gather(1, logits.argmax(1, keepdim=True))).float().mean()
        return Loss(
            total,
            torch.tensor(float(count), device=logits.device),
            {"recall_at_1": right.detach(), "scale": scale.detach()},
        )


def positives(text: TextBatch, images: int) -> Tensor:
    """bool `[R, P]`: whether a text is right for a picture, its own or one that has the very same text."""
    same = (text.ids[:, None] == text.ids[None]).all(-1).float()
    owns = F.one_hot(text.image, images).float()
    return same @ owns > 0


def soft_cross_entropy(logits: Tensor, positive: Tensor) -> Tensor:
    """`[A, B]` logits and bool `[A, B]` → `[A]`: the mean of -log p over each row's right columns."""
    log_probability = logits.log_softmax(-1)
    return -(log_probability * positive).sum(-1) / positive.sum(-1).clamp(min=1)


def build(config: Config, context: object = None) -> Contrastive:
    return Contrastive(config)
