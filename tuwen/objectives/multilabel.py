"""Which of the classes fit? Each is a yes-or-no question: binary cross-entropy of a sigmoid (Bishop 2006, "Pattern
Recognition and Machine Learning", section 4.3.2), for pictures that any number of classes fit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.core.batch import Batch
from tuwen.core.errors import DataError
from tuwen.core.loss import Loss
from tuwen.core.precision import precise
from tuwen.models.config import HeadConfig
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term
from tuwen.prep.batches import IGNORE


class Config(ObjectiveConfig):
    """head: which of the model's heads. stream: texts that it reads with their pictures, or none for pictures alone."""

    head: str = "tags"
    stream: str | None = None


class Multilabel(Term[Config]):
    """Summed over the decisions, a picture (or a text with its picture) and a class each, whose answer is known."""

    heads = {"head": HeadConfig(reads="image", classes="tags")}

    def count(self, batch: Batch) -> float:
        truth = self._truth(batch)
        return 0.0 if truth is None else float((truth != IGNORE).sum())

    def __call__(self, forward: Forward) -> Loss:
        truth = self._truth(forward.batch)
        if truth is None:
            raise DataError("multilabel: the tags of no picture of this batch are known.")
        known = truth != IGNORE
        logits = precise(forward.logits(self.config.head, self.config.stream))[known]
        answers = truth[known].to(logits.dtype)
        losses = F.binary_cross_entropy_with_logits(logits, answers, reduction="none")
        return Loss.over(losses, accuracy=((logits > 0) == (answers > 0)).float().mean())

    def _truth(self, batch: Batch) -> Tensor | None:
        """`[P, C]`, or `[R, C]` of a stream; of a text without a picture nothing is known."""
        if self.config.stream is None or batch.tags is None:
            return batch.tags
        text = batch.texts.get(self.config.stream)
        if text is None:
            return None
        return torch.where(text.image.unsqueeze(1) < 0, IGNORE, batch.tags[text.image])


def build(config: Config, context: ObjectiveContext) -> Multilabel:
    return Multilabel(config)
