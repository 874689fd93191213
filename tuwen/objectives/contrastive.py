"""Pictures and texts that belong together are close, all others far (Radford et al. 2021, arXiv:2103.00020, fig. 3).

A picture may have several texts, and two pictures the same text: each text with the ids of one of a picture's texts is
right for that picture, and the picture's loss is the mean over its right texts (Khosla et al. 2020, SupCon,
arXiv:2004.11362, eq. 2).
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuwen.core.batch import Batch, TextBatch
from tuwen.core.loss import Loss
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term, rows


class Config(ObjectiveConfig):
    """stream: the texts."""

    stream: str = "retrieve"


class Contrastive(Term[Config]):
    """The mean of both directions, summed over the text rows. A picture without a text is only a wrong one."""

    def count(self, batch: Batch) -> float:
        return rows(batch, self.config.stream)

    def __call__(self, forward: Forward) -> Loss:
        text = forward.stream(self.config.stream)
        logits = forward.scale * forward.similarity(self.config.stream)
        positive = positives(text, logits.shape[1])
        text_to_image = soft_cross_entropy(logits, positive)
        image_to_text = soft_cross_entropy(logits.T, positive.T)[positive.any(0)]
        right = positive.gather(1, logits.argmax(1, keepdim=True)).float().mean()
        return Loss.over((text_to_image + image_to_text.mean()) / 2, recall_at_1=right, scale=forward.scale)


def positives(text: TextBatch, images: int) -> Tensor:
    """bool `[R, P]`: whether a text is right for a picture, its own or one that has the very same text."""
    distinct, number = torch.unique(text.ids, dim=0, return_inverse=True)
    right = torch.zeros(len(distinct), images, dtype=torch.bool, device=text.ids.device)
    right[number, text.image] = True
    return right[number]


def soft_cross_entropy(logits: Tensor, positive: Tensor) -> Tensor:
    """`[A, B]` logits and bool `[A, B]` → `[A]`: the mean of -log p over each row's right columns."""
    log_probability = logits.log_softmax(-1)
    return -(log_probability * positive).sum(-1) / positive.sum(-1).clamp(min=1)


def build(config: Config, context: ObjectiveContext) -> Contrastive:
    return Contrastive(config)
