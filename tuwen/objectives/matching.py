"""Do this picture and this text belong together? Asked of true pairs and of the hardest false ones.

Each text is joined with its own picture, with a wrong picture, and its picture with a wrong text; wrong ones are drawn
in proportion to the softmax of their similarity (Li et al. 2021, ALBEF, arXiv:2107.07651, section 3.2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.core.batch import Batch
from tuwen.core.loss import Loss
from tuwen.models.forward import Forward
from tuwen.models.model import MAX_LOGIT_SCALE
from tuwen.objectives import Objective, ObjectiveConfig, rows
from tuwen.objectives.contrastive import positives


class Config(ObjectiveConfig):
    """stream: the texts; head: a head with two classes, (does not match, matches)."""

    stream: str = "retrieve"
    head: str = "match"


class Matching(Objective[Config]):
    """Two-class cross-entropy over three pairs a text, summed over the text rows."""

    def count(self, batch: Batch) -> float:
        return rows(batch, self.config.stream)

    def __call__(self, forward: Forward) -> Loss:
        text = forward.stream(self.config.stream)
        own_text = torch.arange(len(text.ids), device=text.ids.device)
        wrong_image, wrong_text, usable = self._hard_negatives(forward)
        own = forward.fused(self.config.stream).pooled
        wrong = forward.fused_pairs(
            self.config.stream, torch.cat([own_text, wrong_text]), torch.cat([wrong_image, text.image])
        ).pooled
        logits = forward.model.heads[self.config.head](torch.cat([own, wrong])).float()
        answer = (torch.arange(len(logits), device=logits.device) < len(own_text)).long()
        valid = torch.cat([torch.ones_like(usable), usable, usable])
        losses = F.cross_entropy(logits, answer, reduction="none") * valid
        right = ((logits.argmax(-1) == answer) & valid).sum() / valid.sum()
        count = torch.tensor(float(len(own_text)), device=logits.device)
        return Loss(losses.sum() / 3, count, {"accuracy": right.detach()})

    @torch.no_grad()
    def _hard_negatives(self, forward: Forward) -> tuple[Tensor, Tensor, Tensor]:
        """For each text a wrong picture and, for its picture, a wrong text; and whether the batch has any."""
        text = forward.stream(self.config.stream)
        scale = forward.model.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
        similarity = scale * forward.text_embedding(self.config.stream) @ forward.image_embedding.T
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


def build(config: Config, context: object = None) -> Matching:
    return Matching(config)
