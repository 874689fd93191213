"""Do this picture and this text belong together? Asked of true pairs and of the hardest false ones.

Each text is joined with its own picture, with a wrong picture, and its picture with a wrong text; wrong ones are drawn
in proportion to the softmax of their similarity (Li et al. 2021, ALBEF, arXiv:2107.07651, section 3.2).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tuwen.core.batch import Batch
from tuwen.core.loss import Loss
from tuwen.models.config import HeadConfig
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term, rows
from tuwen.objectives.contrastive import positives


class Config(ObjectiveConfig):
    """stream: the texts; head: a head with two classes, (does not match, matches).

    share: of the texts that are asked about; the others still serve as wrong ones.
    """

    stream: str = "retrieve"
    head: str = "match"
    share: float = Field(default=1.0, gt=0, le=1)


class Matching(Term[Config]):
    """Two-class cross-entropy over three pairs a text, summed over the text rows."""

    heads = {"head": HeadConfig(reads="fused", classes=2)}

    def count(self, batch: Batch) -> float:
        return float(self._asked(batch))

    def __call__(self, forward: Forward) -> Loss:
        text = forward.stream(self.config.stream)
        asked = torch.arange(self._asked(forward.batch), device=text.ids.device)
        wrong_image, wrong_text, usable = (found[asked] for found in self._hard_negatives(forward))
        own_image = text.image[asked]
        fused = forward.fused_pairs(
            self.config.stream,
            torch.cat([asked, asked, wrong_text]),
            torch.cat([own_image, wrong_image, own_image]),
        )
        logits = forward.model.head(self.config.head)(fused.pooled).float()
        answer = (torch.arange(len(logits), device=logits.device) < len(asked)).long()
        valid = torch.cat([torch.ones_like(usable), usable, usable])
        losses = F.cross_entropy(logits, answer, reduction="none") * valid
        right = ((logits.argmax(-1) == answer) & valid).sum() / valid.sum()
        count = torch.tensor(float(len(asked)), device=logits.device)
        return Loss(losses.sum() / 3, count, {"accuracy": right.detach()})

    def _asked(self, batch: Batch) -> int:
        """The first texts of the batch, whose order is random."""
        return math.ceil(self.config.share * rows(batch, self.config.stream))

    @torch.no_grad()
    def _hard_negatives(self, forward: Forward) -> tuple[Tensor, Tensor, Tensor]:
        """For each text a wrong picture and, for its picture, a wrong text; and whether the batch has any."""
        text = forward.stream(self.config.stream)
        similarity = forward.scale * forward.similarity(self.config.stream)
        positive = positives(text, similarity.shape[1])
        usable = ~positive.all(1) & ~positive.all(0)[text.image]
        similarity = similarity.masked_fill(positive, float("-inf"))
        wrong_image = _draw(similarity, usable)
        wrong_text = _draw(similarity.T[text.image], usable)
        return wrong_image, wrong_text, usable


def _draw(logits: Tensor, usable: Tensor) -> Tensor:
    """One column a row, with the probability of its softmax; column 0 for rows that are not usable."""
    probability = torch.where(usable[:, None], logits, 0.0).softmax(-1)
    return torch.multinomial(probability, 1).squeeze(1)


def build(config: Config, context: ObjectiveContext) -> Matching:
    return Matching(config)
