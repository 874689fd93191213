"""Next-token prediction after a picture's prefix (Vinyals et al. 2015, arXiv:1411.4555, eq. 1).

Captions, answers and plain text alike: the task's loss mask says which tokens are to be predicted.
"""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field

from tuwen.core.batch import Batch
from tuwen.core.loss import Loss
from tuwen.core.precision import precise
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term


class Config(ObjectiveConfig):
    """stream: the texts; label_smoothing: probability spread over all tokens."""

    stream: str = "words"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)


class Captioning(Term[Config]):
    """Cross-entropy, summed over the tokens that carry a loss."""

    def count(self, batch: Batch) -> float:
        text = batch.texts.get(self.config.stream)
        return 0.0 if text is None or text.loss_mask is None else float(text.loss_mask.sum())

    def __call__(self, forward: Forward) -> Loss:
        predicted = forward.predictions(self.config.stream)
        logits = precise(predicted.logits)
        losses = F.cross_entropy(
            logits, predicted.targets, reduction="none", label_smoothing=self.config.label_smoothing
        )
        right = (logits.argmax(-1) == predicted.targets).float().mean()
        return Loss.over(losses, accuracy=right)


def build(config: Config, context: ObjectiveContext) -> Captioning:
    return Captioning(config)
