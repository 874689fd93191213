"""A predictor that knows what to say, so that figures can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from tests import tiny
from tuwen.core.sample import Picture, Sample
from tuwen.models.predictor import Predictor
from tuwen.tasks import TaskContext


def picture(number: int) -> np.ndarray:
    """A picture that is told from the others by its first pixel."""
    pixels = np.full((tiny.SIZE, tiny.SIZE, 3), 200, np.uint8)
    pixels[0, 0] = number
    return pixels


def number_of(shown: Picture) -> int:
    """Which picture it is; the uniform one of the blind floor has another number than all of them."""
    assert isinstance(shown, np.ndarray)
    return int(shown[0, 0, 0])


class Oracle(Predictor):
    """Says what it is told to say.

    says: the words for a prompt and a picture's number. classes: the class of a head, likewise (None for no text).
    vectors: where each text and each picture's number is in the common space.
    """

    def __init__(
        self,
        says: Mapping[tuple[str, int], str] | None = None,
        classes: Mapping[tuple[str | None, int], int] | None = None,
        vectors: Mapping[str | int, Sequence[float]] | None = None,
        otherwise: str = "nothing",
    ) -> None:
        super().__init__(tiny.model(), tiny.tokenizer(), tiny.IMAGES)
        self.says, self.classes, self.vectors = says or {}, classes or {}, vectors or {}
        self.otherwise = otherwise

    def write(
        self, prompts: Sequence[str], pictures: Sequence[Picture] | None = None, max_new_tokens: int = 64
    ) -> list[str]:
        assert pictures is not None
        asked = zip(prompts, map(number_of, pictures), strict=True)
        return [self.says.get(question, self.otherwise) for question in asked]

    def logits(self, head: str, pictures: Sequence[Picture], texts: Sequence[str] | None = None) -> Tensor:
        asked = zip(texts or [None] * len(pictures), map(number_of, pictures), strict=True)
        return torch.eye(10)[[self.classes.get(question, 0) for question in asked]]

    def embed_images(self, pictures: Sequence[Picture]) -> Tensor:
        return torch.tensor([self.vectors[number_of(shown)] for shown in pictures])

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        return torch.tensor([self.vectors[text] for text in texts])


def context(labels: tuple[str, ...] = (), answers: tuple[str, ...] = ()) -> TaskContext:
    """With the tiny tokenizer."""
    return TaskContext(tiny.tokenizer(), labels, answers)


def text_of(ids: Sequence[int]) -> str:
    """Decoded, special tokens and all, so that a test can see where they are."""
    return str(tiny.tokenizer().backend.decode(list(ids), skip_special_tokens=False))


def scene(number: int, **told: object) -> Sample:
    """A sample about picture `number`."""
    return Sample(f"sample {number}", picture(number), **told)  # type: ignore[arg-type]
