"""Which text belongs to which picture, as squared error: `½ Σ_ij (y_ij − softmax_j(f(image_i + text_j)))²`.

For each picture `i` of a batch, the softmax runs along the texts `j` of that batch (or, with `over: pictures`, for each
text along the pictures), so that the guesses for one picture sum to one; `y_ij` is 1 for its own text, or 1/n for each
of its n right ones. Squared error of a softmax is the Brier score (Brier 1950, "Verification of forecasts expressed in
terms of probability", Monthly Weather Review 78): like cross-entropy it is least for the true probabilities, but a
single wrong pair in the data never costs more than 1.

`image_i + text_j` is what the fusion makes of the two (`add` is the sum itself), and `f` a head with one output. It
needs a hidden layer, or a fusion that is not linear: where `f` is linear in the sum, what the picture adds is the same
for all texts, and a softmax along the texts takes it out.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from tuwen.core.batch import Batch
from tuwen.core.errors import RecipeError
from tuwen.core.loss import Loss
from tuwen.core.precision import precise
from tuwen.models.config import HeadConfig
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term
from tuwen.objectives._pairs import positives


class Config(ObjectiveConfig):
    """stream: the texts. head: with one output, the score of a picture with a text.

    over: the axis of the softmax: a picture's guesses over the `texts`, or a text's over the `pictures`.
    """

    stream: str = "retrieve"
    head: str = "pair"
    over: Literal["texts", "pictures"] = "texts"


class PairAssociation(Term[Config]):
    """Summed over the pictures that have a text (`over: texts`), or over the texts (`over: pictures`)."""

    heads = {"head": HeadConfig(reads="fused", classes=1, hidden=128)}

    def count(self, batch: Batch) -> float:
        if self.config.stream not in batch.texts:
            return 0.0
        text = batch.texts[self.config.stream]
        owners = text.image[text.image >= 0]
        return float(len(owners if self.config.over == "pictures" else torch.unique(owners)))

    def __call__(self, forward: Forward) -> Loss:
        text = forward.stream(self.config.stream)
        shown = (text.image >= 0).nonzero().squeeze(1)
        told = torch.unique(text.image[shown])
        scores = self._scores(forward, shown, told)
        right = positives(text, len(forward.image.pooled))[shown][:, told]
        if self.config.over == "texts":
            scores, right = scores.T, right.T
        truth = right / right.sum(1, keepdim=True)
        guess = scores.softmax(1)
        losses = (truth.to(guess.dtype) - guess).square().sum(1) / 2
        hit = right.gather(1, scores.argmax(1, keepdim=True)).float().mean()
        return Loss.over(losses, recall_at_1=hit)

    def _scores(self, forward: Forward, texts: Tensor, images: Tensor) -> Tensor:
        """`[R, P]`: the score of each of these texts with each of these pictures."""
        pairs = forward.fused_pairs(
            self.config.stream, texts.repeat_interleave(len(images)), images.repeat(len(texts))
        ).pooled
        head = forward.model.config.heads[self.config.head]
        if head.classes != 1 or head.hidden is None:
            raise RecipeError(
                f"objective pair_association: the head {self.config.head!r} has to give one number by a hidden layer "
                "(a linear score of a sum is the same softmax for every picture): set its `classes` to 1, and `hidden`."
            )
        return precise(forward.model.head(self.config.head)(pairs)).view(len(texts), len(images))


def build(config: Config, context: ObjectiveContext) -> PairAssociation:
    return PairAssociation(config)
