"""Cross-entropy of a head over its classes."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tuwen.core.batch import Batch
from tuwen.core.errors import DataError
from tuwen.core.loss import Loss
from tuwen.models.forward import Forward
from tuwen.objectives import Objective, ObjectiveConfig
from tuwen.prep.batches import IGNORE


class Config(ObjectiveConfig):
    """head: which of the model's heads; stream: the texts whose class it gives, or none for the pictures' own class."""

    head: str = "label"
    stream: str | None = None
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)


class Classification(Objective[Config]):
    """Summed over the rows whose class is known."""

    def count(self, batch: Batch) -> float:
        return float((self._target(batch) != IGNORE).sum())

    def __call__(self, forward: Forward) -> Loss:
        target = self._target(forward.batch)
        known = target != IGNORE
        logits = forward.logits(self.config.head, self.config.stream).float()[known]
        losses = F.cross_entropy(logits, target[known], reduction="none", label_smoothing=self.config.label_smoothing)
        return Loss.over(losses, accuracy=(logits.argmax(-1) == target[known]).float().mean())

    def _target(self, batch: Batch) -> Tensor:
        stream = self.config.stream
        target = batch.target if stream is None else batch.texts[stream].target
        if target is None:
            where = "pictures" if stream is None else f"stream {stream!r}"
            raise DataError(f"classification: no class is known for the {where} of this batch.")
        return target


def build(config: Config, context: object = None) -> Classification:
    return Classification(config)
