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
from tuwen.core.precision import precise
from tuwen.models.config import HeadConfig
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term
from tuwen.objectives._pairs import positives


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
        asked = (text.image >= 0).nonzero()[: self._asked(forward.batch), 0]
        wrong_image, wrong_text, usable = (found[asked] for found in self._hard_negatives(forward))
        own_image = text.image[asked]
        fused = forward.fused_pairs(
            self.config.stream,
            torch.cat([asked, asked, wrong_text]),
            torch.cat([own_image, wrong_image, own_image]),
        )
        logits = precise(forward.model.head(self.config.head)(fused.pooled))
        answer = (torch.arange(len(logits), device=logits.device) < len(asked)).long()
        valid = torch.cat([torch.ones_like(usable), usable, usable])
        losses = F.cross_entropy(logits, answer, reduction="none") * valid
        right = ((logits.argmax(-1) == answer) & valid).sum() / valid.sum()
        count = torch.tensor(float(len(asked)), device=logits.device)
        return Loss(losses.sum() / 3, count, {"accuracy": right.detach()})

    def _asked(self, batch: Batch) -> int:
        """The first texts with a picture; the order of a batch is random."""
        text = batch.texts.get(self.config.stream)
        return 0 if text is None else math.ceil(self.config.share * int((text.image >= 0).sum()))

    @torch.no_grad()
    def _hard_negatives(self, forward: Forward) -> tuple[Tensor, Tensor, Tensor]:
        """For each text a wrong picture and, for its picture, a wrong text; and whether the batch has both.

        A picture without a text is no wrong one, nor is a text without a picture: nobody said that they do not fit.
        """
        text = forward.stream(self.config.stream)
        similarity = forward.scale * forward.similarity(self.config.stream)
        shown = text.image >= 0
        told = torch.zeros(similarity.shape[1], dtype=torch.bool, device=shown.device)
        told[text.image[shown]] = True
        wrong = ~positives(text, len(told)) & told & shown.unsqueeze(1)
        usable = wrong.any(1) & wrong.any(0)[text.image]
        similarity = similarity.masked_fill(~wrong, float("-inf"))
        return _draw(similarity, usable), _draw(similarity.T[text.image], usable), usable


def _draw(logits: Tensor, usable: Tensor) -> Tensor:
    """One column a row, with the probability of its softmax; column 0 for rows that are not usable."""
    probability = torch.where(usable[:, None], logits, 0.0).softmax(-1)
    return torch.multinomial(probability, 1).squeeze(1)


def build(config: Config, context: ObjectiveContext) -> Matching:
    return Matching(config)
