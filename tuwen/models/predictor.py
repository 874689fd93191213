"""A model with its own tokenizer and preprocessing: what can be asked of it without training.

Inputs are pictures (paths, bytes or arrays) and texts; they are batched, run without gradients, and returned in the
order they came. Shapes: P pictures, R texts, E width of the common space, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuwen.core.batch import Row
from tuwen.core.sample import Picture
from tuwen.models.forward import Forward
from tuwen.models.generate import generate
from tuwen.models.model import VisionLanguageModel
from tuwen.prep.batches import Encoded, collate
from tuwen.prep.images import ImagePrep
from tuwen.prep.tokens import Tokenizer

STREAM = "asked"


class Predictor:
    """Runs a model on pictures and texts as they come.

    Args:
        model: put into evaluation mode.
        tokenizer, images: those that it was trained with.
        bf16: compute under bf16 autocast; float32 otherwise.
        batch_size: pictures or texts at once.
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        tokenizer: Tokenizer,
        images: ImagePrep,
        *,
        bf16: bool = False,
        batch_size: int = 128,
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.images = images
        self.bf16 = bf16
        self.batch_size = batch_size

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        """A picture as the model sees it: `[S, S, 3]` uint8.

        Raises:
            SampleError: it cannot be read.
        """
        return self.images(picture, str(picture) if isinstance(picture, str | Path) else "a picture", None)

    @contextmanager
    def inference(self) -> Iterator[None]:
        """No gradients, and the model's precision."""
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            yield

    def forward(self, samples: Sequence[Encoded]) -> Forward:
        """The forward pass of samples; read it inside `inference`."""
        return self.model(collate(samples, self.tokenizer.pad).to(self.device))

    def embed_images(self, pictures: Sequence[Picture]) -> Tensor:
        """`[P, E]` of unit length, float32, on the CPU."""
        with self.inference():
            parts = [self.forward(part).image_embedding.cpu() for part in self._pictures(pictures)]
        return torch.cat(parts) if parts else torch.empty(0, 0)

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """`[R, E]` of unit length, float32, on the CPU. Texts of one length are computed together."""
        rows = [self.tokenizer.read(text) for text in texts]
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        parts = []
        with self.inference():
            for numbers in _chunks(order, self.batch_size):
                samples = [Encoded("", None, {STREAM: [Row(rows[number])]}) for number in numbers]
                parts.append(self.forward(samples).text_embedding(STREAM).cpu())
        if not parts:
            return torch.empty(0, 0)
        return torch.cat(parts)[torch.tensor(order).argsort()]

    def logits(self, head: str, pictures: Sequence[Picture], texts: Sequence[str] | None = None) -> Tensor:
        """A head's logits for each picture, or for each picture with its text. `[P, C]`, float32, on the CPU."""
        parts = []
        with self.inference():
            for numbers in _chunks(range(len(pictures)), self.batch_size):
                rows = [{STREAM: [Row(self.tokenizer.read(texts[number]))]} if texts else {} for number in numbers]
                samples = [Encoded("", self.prepare(pictures[n]), row) for n, row in zip(numbers, rows, strict=True)]
                parts.append(self.forward(samples).logits(head, STREAM if texts else None).float().cpu())
        return torch.cat(parts) if parts else torch.empty(0, 0)

    def write(
        self, prompts: Sequence[str], pictures: Sequence[Picture] | None = None, max_new_tokens: int = 64
    ) -> list[str]:
        """What the language model says after each prompt, greedily, about its picture where there are pictures.

        A picture given for several prompts (the same object) is encoded once.
        """
        language = self.model.require("language")
        found: list[str] = []
        with self.inference():
            for numbers in _chunks(range(len(prompts)), self.batch_size):
                texts = generate(
                    language,
                    [self.tokenizer.prompt(prompts[number]) for number in numbers],
                    eos=self.tokenizer.eos,
                    pad=self.tokenizer.pad,
                    max_new_tokens=max_new_tokens,
                    prefix=None if pictures is None else self._prefix([pictures[number] for number in numbers]),
                )
                found += [self.tokenizer.decode(ids) for ids in texts]
        return found

    def _prefix(self, pictures: Sequence[Picture]) -> Tensor:
        """Each picture's prefix, `[P, prefix, D]`."""
        distinct = {id(picture): picture for picture in pictures}
        place = {identity: number for number, identity in enumerate(distinct)}
        prefix = self.model.require("prefix")
        parts = [prefix(self.forward(part).image.tokens) for part in self._pictures(list(distinct.values()))]
        return torch.cat(parts)[[place[id(picture)] for picture in pictures]]

    def _pictures(self, pictures: Sequence[Picture]) -> Iterator[list[Encoded]]:
        for numbers in _chunks(range(len(pictures)), self.batch_size):
            yield [Encoded("", self.prepare(pictures[number])) for number in numbers]


def _chunks(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]
