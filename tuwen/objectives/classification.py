"""Cross-entropy of a head over its classes (label smoothing: Szegedy et al. 2016, arXiv:1512.00567, section 7)."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tuwen.core.batch import Batch
from tuwen.core.errors import DataError
from tuwen.core.loss import Loss
from tuwen.models.config import HeadConfig
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term
from tuwen.prep.batches import IGNORE


class Config(ObjectiveConfig):
    """head: which of the model's heads. stream: the texts whose class it gives, or none for the pictures' own class.

    label_smoothing: probability spread over all classes.
    """

    head: str = "label"
    stream: str | None = None
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)


class Classification(Term[Config]):
    """Summed over the rows whose class is known."""

    heads = {"head": HeadConfig(reads="image", classes="labels")}

    def count(self, batch: Batch) -> float:
        target = self._target(batch)
        return 0.0 if target is None else float((target != IGNORE).sum())

    def __call__(self, forward: Forward) -> Loss:
        target = self._target(forward.batch)
        if target is None:
            where = "pictures" if self.config.stream is None else f"texts of {self.config.stream!r}"
            raise DataError(f"classification: no class is known for the {where} of this batch.")
        known = target != IGNORE
        logits = forward.logits(self.config.head, self.config.stream).float()[known]
        losses = F.cross_entropy(logits, target[known], reduction="none", label_smoothing=self.config.label_smoothing)
        return Loss.over(losses, accuracy=(logits.argmax(-1) == target[known]).float().mean())

    def _target(self, batch: Batch) -> Tensor | None:
        if self.config.stream is None:
            return batch.target
        text = batch.texts.get(self.config.stream)
        return None if text is None else text.target


def build(config: Config, context: ObjectiveContext) -> Classification:
    return Classification(config)
