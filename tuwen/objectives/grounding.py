"""The words of a question that name things say, once the picture was read, how many these are and where.

What is near in meaning to Kamath et al. 2021 (MDETR, arXiv:2104.12763, section 2.2): a text's phrases are aligned with
boxes while its question is being answered. Here each phrase tells its own boxes, and no query stands between: a linear
head reads each token of the phrase behind the fusion. Who has to say where each of three things is learns to count
them. Each further phrase also tells how far its thing is from the first phrase's, how much larger it is, and how many
more there are, which is all that a comparison asks for.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor

from tuwen.core.batch import Batch, Phrases
from tuwen.core.errors import DataError, RecipeError
from tuwen.core.loss import Loss
from tuwen.core.precision import precise
from tuwen.models.config import HeadConfig
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term

NUMBERS = 5
"""Classes of how many things a phrase names: none, one, ..., and four or more."""
THINGS = NUMBERS - 1
"""So many things, from the left, have their boxes told."""
_PARTS = [NUMBERS, 4 * THINGS, 4, 1]
"""What the head tells of a phrase: how many, their boxes; and a thing and the number beside the row's first phrase."""


class Config(ObjectiveConfig):
    """stream: the texts. head: which of the model's heads reads the phrases.

    tolerance: the error that costs a half: of places and lengths as a share of the picture's side, and of the logarithm
        of a ratio of two lengths; of a difference of two numbers it is twice that.
    """

    stream: str = "vqa"
    head: str = "phrases"
    tolerance: PositiveFloat = 0.125


class Grounding(Term[Config]):
    """Of each phrase `−log p(number) + Σ h(Δbox)`, and `h(Δoffset) + h(Δdifference)` if it is not the row's first.

    h is Huber's: half the square of each error within the tolerance, linear beyond. A box is its middle, width and
    height; those of a phrase are told from left to right. An offset is the difference of two middles, and the
    logarithms of the ratios of two widths and heights, and counts only where both phrases name one thing. Each token of
    a phrase tells all of it; averaged over these, and summed over the phrases.
    """

    heads = {"head": HeadConfig(reads="fused", classes=sum(_PARTS))}
    needs_places = needs_words = True
    lacks = (
        "no question that a head answers says which of its words name things of the picture, and where these are (of "
        "the data, scenes with `phrases: true` does)"
    )

    def count(self, batch: Batch) -> float:
        text = batch.texts.get(self.config.stream)
        return 0.0 if text is None or text.phrases is None else float((text.phrases.number >= 0).sum())

    def __call__(self, forward: Forward) -> Loss:
        phrases = forward.stream(self.config.stream).phrases
        if phrases is None:
            raise DataError(
                f"grounding: the texts of {self.config.stream!r} do not say which of their words name things, and "
                "where these are; the data must."
            )
        row, token = phrases.of.nonzero(as_tuple=True)
        told = self._told(forward, row, token)
        with torch.autocast(told.device.type, enabled=False):
            return self._loss(told, phrases, row, phrases.of[row, token] - 1)

    def _told(self, forward: Forward, row: Tensor, token: Tensor) -> Tensor:
        """What the head makes of tokens, `[T, sum(_PARTS)]`."""
        head = self.config.head
        if forward.model.reads(head) != "fused":
            raise RecipeError(f"model.heads.{head}: grounding reads behind the fusion; say `reads: fused`.")
        told = precise(forward.model.head(head)(forward.fused(self.config.stream).tokens[row, token]))
        if told.shape[-1] != sum(_PARTS):
            raise RecipeError(
                f"model.heads.{head}: grounding reads {sum(_PARTS)} numbers; say `classes: {sum(_PARTS)}`."
            )
        return told

    def _loss(self, told: Tensor, phrases: Phrases, row: Tensor, phrase: Tensor) -> Loss:
        """told: `[T, sum(_PARTS)]`, what each token tells; row, phrase: `[T]`, of which phrase."""
        logits, places, offset, difference = torch.split(told, _PARTS, -1)
        number, first = phrases.number[row, phrase], phrases.number[row, 0]
        boxes = _centred(phrases.boxes[:, :, :THINGS].to(told))
        places = places.view(-1, THINGS, 4)[:, : boxes.shape[2]]
        there = torch.arange(boxes.shape[2], device=number.device) < number.unsqueeze(-1)
        further = (phrase > 0) & (first >= 0)
        how_many = number.clamp(max=NUMBERS - 1)
        losses = F.cross_entropy(logits, how_many, reduction="none")
        losses = losses + (there * self._cost(places - boxes[row, phrase])).sum(-1)
        beside = _offset(boxes[row, phrase, 0], boxes[row, 0, 0])
        losses = losses + (further & (number == 1) & (first == 1)) * self._cost(offset - beside)
        losses = losses + further * self._cost((difference - (number - first).unsqueeze(-1)) / 2)
        share = 1 / _tokens(phrases)[row, phrase].to(told)
        parts = {"number": ((logits.argmax(-1) == how_many) * share).sum() / share.sum()}
        if there.any():
            inside = (places[..., :2] - boxes[row, phrase, :, :2]).abs() <= boxes[row, phrase, :, 2:] / 2
            weights = there * share.unsqueeze(-1)
            parts["pointing"] = (inside.all(-1) * weights).sum() / weights.sum()
        count = (phrases.number >= 0).sum().float()
        return Loss((losses * share).sum(), count, {name: part.detach() for name, part in parts.items()})

    def _cost(self, error: Tensor) -> Tensor:
        """Of errors `[..., d]`: half their squares, in units of the tolerance, beyond that linear; summed, `[...]`."""
        error = error / self.config.tolerance
        return F.huber_loss(error, torch.zeros_like(error), reduction="none").sum(-1)


def _tokens(phrases: Phrases) -> Tensor:
    """How many tokens each phrase has, `[R, K]`."""
    each = torch.arange(1, phrases.number.shape[1] + 1, device=phrases.of.device)
    return (phrases.of.unsqueeze(-1) == each).sum(1)


def _centred(box: Tensor) -> Tensor:
    """`(x0, y0, x1, y1)` → middle, width and height, `[..., 4]`."""
    low, high = box.chunk(2, -1)
    return torch.cat([(low + high) / 2, high - low], -1)


def _offset(box: Tensor, beside: Tensor) -> Tensor:
    """How far a box is from another, and how much larger. Two of `[..., 4]`, as `_centred` gives them."""
    (middle, size), (other_middle, other_size) = box.chunk(2, -1), beside.chunk(2, -1)
    least = 1e-3  # a box that is not there has no size
    ratio = size.clamp(min=least).log() - other_size.clamp(min=least).log()
    return torch.cat([middle - other_middle, ratio], -1)


def build(config: Config, context: ObjectiveContext) -> Grounding:
    return Grounding(config)
