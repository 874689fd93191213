"""Cross-entropy of a head over its classes (label smoothing: Szegedy et al. 2016, arXiv:1512.00567, section 7).

Each class may also be a yes-or-no question of its own (`by: sigmoid`), and rare classes may count more.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tuwen.core.batch import Batch
from tuwen.core.errors import DataError, RecipeError
from tuwen.core.loss import Loss
from tuwen.core.precision import precise
from tuwen.models.config import HeadConfig
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term
from tuwen.objectives._class_weights import Scheme, class_weights
from tuwen.prep.batches import IGNORE


class Config(ObjectiveConfig):
    """head: which of the model's heads. stream: the texts whose class it gives, or none for the pictures' own class.

    by: `softmax` over the classes, or a `sigmoid` for each with binary cross-entropy, one class against all others,
        averaged over the classes.
    label_smoothing: probability spread over all classes (for a sigmoid, over yes and no).
    class_weights: whether rare classes count more: `none`, by the `inverse` of their frequency in training, or of their
        `effective` number of samples, with `beta` (see `tuwen.objectives._class_weights`).
    """

    head: str = "label"
    stream: str | None = None
    by: Literal["softmax", "sigmoid"] = "softmax"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: Scheme = "none"
    beta: float = Field(default=0.999, ge=0, lt=1)


class Classification(Term[Config]):
    """Summed over the rows whose class is known."""

    heads = {"head": HeadConfig(reads="image", classes="labels")}

    def __init__(self, config: Config, context: ObjectiveContext) -> None:
        super().__init__(config)
        self.counts = context.counts

    def count(self, batch: Batch) -> float:
        target = self._target(batch)
        return 0.0 if target is None else float((target != IGNORE).sum())

    def __call__(self, forward: Forward) -> Loss:
        target = self._target(forward.batch)
        if target is None:
            where = "pictures" if self.config.stream is None else f"texts of {self.config.stream!r}"
            raise DataError(f"classification: no class is known for the {where} of this batch.")
        known = target != IGNORE
        logits, target = precise(forward.logits(self.config.head, self.config.stream))[known], target[known]
        losses = self._losses(logits, target)
        if self.config.class_weights != "none":
            losses = losses * self._weights(forward).to(losses)[target]
        return Loss.over(losses, accuracy=(logits.argmax(-1) == target).float().mean())

    def _losses(self, logits: Tensor, target: Tensor) -> Tensor:
        """Of each row, `[R]`."""
        smoothing = self.config.label_smoothing
        if self.config.by == "softmax":
            return F.cross_entropy(logits, target, reduction="none", label_smoothing=smoothing)
        truth = F.one_hot(target, logits.shape[1]).to(logits.dtype) * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(1)

    def _weights(self, forward: Forward) -> Tensor:
        vocabulary = forward.model.config.heads[self.config.head].classes
        counts = self.counts.get(str(vocabulary))
        if counts is None:
            raise RecipeError(
                "objective classification: class_weights need the frequencies of the classes in training, and the "
                f"head {self.config.head!r} is over {vocabulary!r}; use a head over labels or answers."
            )
        return class_weights(counts, self.config.class_weights, self.config.beta)

    def _target(self, batch: Batch) -> Tensor | None:
        if self.config.stream is None:
            return batch.target
        text = batch.texts.get(self.config.stream)
        return None if text is None else text.target


def build(config: Config, context: ObjectiveContext) -> Classification:
    return Classification(config, context)
