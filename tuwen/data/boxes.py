"""`boxes`: three boxes with things scattered or stacked in them, and sentences that are true or false of them; endless.

The world of Cornell NLVR (Suhr et al. 2017, "A Corpus of Natural Language for Visual Reasoning", ACL, section 2), drawn
anew, with sentences from a grammar, to learn from before people's sentences (`nlvr`). As there, where people saw
several pictures at once, a sentence tells pictures apart: it is true of one and false of another. So every sentence is
as often true as false, and only the picture says which. What there is in the picture stands beside it as tags.
"""

from __future__ import annotations

from random import Random
from typing import Any, Literal

from pydantic import Field

from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Question, Sample
from tuwen.data import NotedSplits
from tuwen.data._boxes.layout import lay_out
from tuwen.data._boxes.sentences import claim
from tuwen.data._boxes.tags import tags_of
from tuwen.data._boxes.world import draw, render

_SPLITS = ("train", "test")


class Config(PartConfig):
    """seed: decides every picture. sentences: about each picture at most; pictures 2 i and 2 i + 1 share theirs.

    layout: whether the boxes stand in a `row` or in a `grid` of two and one, which a square shows larger.
    train_pictures, test_pictures: how many `train` and `test` have.
    """

    seed: int = Field(0, ge=0)
    sentences: int = Field(12, ge=1, le=64)
    layout: Literal["row", "grid"] = "grid"
    train_pictures: int = Field(1_000_000, ge=1, lt=2**40)
    test_pictures: int = Field(300, ge=1, lt=2**40)


class ThreeBoxes:
    """A source: picture `i` is a function of the seed, the split and `i` alone."""

    def __init__(self, config: Config, split: str) -> None:
        self.config, self.split = config, split
        self._length = config.train_pictures if split == "train" else config.test_pictures

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._length:
            raise IndexError(f"picture {index} of {self.split}: there are {self._length}")
        pair, place = divmod(index, 2)
        rng = Random((self.config.seed * len(_SPLITS) + _SPLITS.index(self.split)) << 40 | pair)
        towers = rng.random() < 0.5
        pictures = draw(rng, towers), draw(rng, towers)
        claims = [claim(rng, pictures) for _ in range(self.config.sentences)]
        kind, answers = "towers" if towers else "items", ("false", "true")
        return Sample(
            key=f"boxes/{self.split}/{index}",
            image=lay_out([render(box) for box in pictures[place].boxes], self.config.layout),
            questions=tuple(Question(one.text, answers[one.true != place], kind, "en") for one in claims if one),
            tags=tags_of(pictures[place]),
        )


def build(config: Config, context: Any = None) -> NotedSplits:
    """`train` and `test`."""
    return NotedSplits({name: ThreeBoxes(config, name) for name in _SPLITS})
