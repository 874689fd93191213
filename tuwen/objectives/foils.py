"""The true text lies nearer to its picture than its foils, which differ from it by a word.

Other pictures' texts, which `contrastive` holds against it, differ by so much that a few attributes tell them apart;
what they leave untaught, foils teach (Yuksekgonul et al. 2023, NegCLIP, arXiv:2210.01936, section 4).
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuwen.core.batch import Batch, TextBatch
from tuwen.core.errors import RecipeError
from tuwen.core.loss import Loss
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term


class Config(ObjectiveConfig):
    """stream: texts in choices. A row of class 0 is true of its picture; those of that picture behind it are not."""

    stream: str = "foils"


class Foils(Term[Config]):
    """For each choice the cross-entropy of `scale · cosine` over its texts; summed over the choices."""

    lacks = "no sample has a text with foils"

    def count(self, batch: Batch) -> float:
        text = batch.texts.get(self.config.stream)
        return 0.0 if text is None else float(_true(text).sum())

    def __call__(self, forward: Forward) -> Loss:
        text = forward.stream(self.config.stream)
        true = _true(text)
        cosines = (forward.text_embedding(self.config.stream) * forward.image_embedding[text.image]).sum(-1)
        table = _by_choice(forward.scale * cosines, true, text.image)
        losses = table.logsumexp(1) - table[:, 0]
        return Loss.over(losses, accuracy=(table.argmax(1) == 0).float().mean())


def _true(text: TextBatch) -> Tensor:
    if text.target is None:
        raise RecipeError("objective foils: the texts of its stream are not chosen among: name that of a task foils.")
    return text.target == 0


def _by_choice(logits: Tensor, true: Tensor, image: Tensor) -> Tensor:
    """`[R]` → `[C, T]`: a row a choice, its true text first, -inf where it has fewer texts than the longest."""
    first = true.nonzero().squeeze(1)
    choice = true.cumsum(0) - 1
    inside = (choice >= 0) & (image == image[first[choice]])
    place = torch.arange(len(logits), device=logits.device) - first[choice]
    table = logits.new_full((len(first), int(place[inside].max()) + 1), -torch.inf)
    return table.index_put((choice[inside], place[inside]), logits[inside])


def build(config: Config, context: ObjectiveContext) -> Foils:
    return Foils(config)
