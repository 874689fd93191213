"""`digits`: 1,797 handwritten digits that come with scikit-learn, 8 x 8 pixels in 17 greys.

The test set of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, UCI Machine Learning Repository,
CC BY 4.0): 43 people wrote them. A fixed quarter is held out as `test`, drawn evenly from each digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tuwen.core.errors import DataError
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Caption, Sample
from tuwen.data import NotedSplits
from tuwen.prep.order import permute

DIGITS = tuple("0123456789")
WORDS = {
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "zh": ("零", "一", "二", "三", "四", "五", "六", "七", "八", "九"),
}
TEMPLATES = {"en": "the digit {}", "zh": "数字{}"}
HELD_OUT = 4
"""One digit of so many is in `test`."""
SEED = 0
"""Of the split, which is the same in every run."""


class Config(PartConfig):
    """validation: share of the other three quarters that is held out too, to choose settings by.

    captions: whether each picture comes with a text in each language, `the digit three`, to learn from by comparing.
    """

    validation: float = Field(default=0.0, ge=0, lt=1)
    captions: bool = True


class Digits:
    """A source: some of the pictures, white on black as they were written, with label and captions."""

    def __init__(self, pictures: NDArray[np.uint8], labels: Sequence[int], numbers: Sequence[int], config: Config):
        self._pictures, self._labels, self._numbers, self._captions = pictures, labels, numbers, config.captions

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        number = self._numbers[index]
        digit = self._labels[number]
        return Sample(
            key=f"digits/{number}",
            image=self._pictures[number],
            captions=tuple(_captions(digit)) if self._captions else (),
            label=DIGITS[digit],
        )


def build(config: Config, context: Any = None) -> NotedSplits:
    """`train` and `test`, and `validation` where asked for.

    Raises:
        DataError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DataError(
            "digits: the pictures come with scikit-learn; install it with `pip install 'tuwen[digits]'`."
        ) from None
    found = load_digits()
    pictures = np.rint(found.images * (255 / 16)).astype(np.uint8)[..., None].repeat(3, -1)
    labels = found.target.tolist()
    splits = _split(labels, config.validation)
    notes = [", ".join(f"{name}: {len(numbers):,} digits" for name, numbers in splits.items()) + "."]
    sources = {name: Digits(pictures, labels, numbers, config) for name, numbers in splits.items()}
    texts = {
        language: {DIGITS[number]: TEMPLATES[language].format(word) for number, word in enumerate(words)}
        for language, words in WORDS.items()
    }
    return NotedSplits(sources, notes, DIGITS, texts)


def _captions(digit: int) -> list[Caption]:
    return [Caption(TEMPLATES[language].format(words[digit]), language, True) for language, words in WORDS.items()]


def _split(labels: Sequence[int], validation: float) -> dict[str, list[int]]:
    """The numbers of each split; of each digit the same share, in a fixed random order."""
    splits: dict[str, list[int]] = {"train": [], "test": [], "validation": []}
    for digit in range(10):
        own = [number for number, label in enumerate(labels) if label == digit]
        order = [own[place] for place in permute(np.arange(len(own)), len(own), SEED, digit).tolist()]
        tested = -(-len(own) // HELD_OUT)
        held = round(validation * (len(own) - tested))
        splits["test"] += order[:tested]
        splits["validation"] += order[tested : tested + held]
        splits["train"] += order[tested + held :]
    return {name: sorted(numbers) for name, numbers in splits.items() if numbers}
