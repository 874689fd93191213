"""Two views of one picture are close, those of all others far: learning from pictures about which nothing is said.

NT-Xent (Chen et al. 2020, SimCLR, arXiv:2002.05709, eq. 1 and algorithm 1): of the 2P projections of a batch, each is
to tell its picture's other view from the remaining 2P − 2. The first view is the picture as all objectives see it, the
second what `image.view` makes of it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat

from tuwen.core.batch import Batch
from tuwen.core.errors import DataError
from tuwen.core.loss import Loss
from tuwen.core.precision import precise
from tuwen.models.config import HeadConfig
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term


class Config(ObjectiveConfig):
    """head: the projection, whose outputs are compared; it is of no use afterwards. temperature: of the softmax."""

    head: str = "view"
    temperature: PositiveFloat = 0.2


class TwoView(Term[Config]):
    """Cross-entropy of finding the other view, averaged over a picture's two views and summed over the pictures."""

    heads = {"head": HeadConfig(reads="image", classes=64, hidden=128)}
    lacks = "there is no second view: say how pictures are augmented for it with image.view"

    def count(self, batch: Batch) -> float:
        return 0.0 if batch.views is None or len(batch.views) < 2 else float(len(batch.views))

    def __call__(self, forward: Forward) -> Loss:
        if forward.batch.views is None:
            raise DataError("two_view: the batch has each picture only once: say how to augment it with image.view.")
        project = forward.model.head(self.config.head)
        seen = torch.cat([project(forward.image_pooled), project(forward.view.pooled)])
        with torch.autocast(seen.device.type, enabled=False):
            z = F.normalize(precise(seen), dim=-1)
            logits = z @ z.T / self.config.temperature
        logits = logits.fill_diagonal_(float("-inf"))
        pictures = len(z) // 2
        other = torch.arange(2 * pictures, device=z.device).roll(pictures)
        losses = F.cross_entropy(logits, other, reduction="none").view(2, pictures).mean(0)
        return Loss.over(losses, found=(logits.argmax(-1) == other).float().mean())


def build(config: Config, context: ObjectiveContext) -> TwoView:
    return TwoView(config)
