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
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tuwen.core.batch import Row
from tuwen.core.sample import Picture
from tuwen.models.forward import Forward
from tuwen.models.generate import Decoding, generate_batches
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
        """A head's logits for each picture, or for each picture with its text. `[P, C]`, float32, on the CPU.

        Texts about one picture (the same object) that are computed together share its encoding.
        """
        parts = []
        with self.inference():
            for numbers in _chunks(range(len(pictures)), self.batch_size):
                groups = [[number] for number in numbers] if texts is None else _by_picture(pictures, numbers)
                rows = [
                    [] if texts is None else [Row(self.tokenizer.read(texts[n])) for n in group] for group in groups
                ]
                samples = [
                    Encoded("", self.prepare(pictures[group[0]]), {STREAM: row} if row else {})
                    for group, row in zip(groups, rows, strict=True)
                ]
                found = self.forward(samples).logits(head, None if texts is None else STREAM).float().cpu()
                parts.append(found[torch.tensor([n for group in groups for n in group]).argsort()])
        return torch.cat(parts) if parts else torch.empty(0, 0)

    def nats(self, rows: Sequence[Row], pictures: Sequence[Picture | None]) -> list[Tensor]:
        """How unlikely the language model finds each token that carries a loss, `-log p`: `[M]` for each row, float32.

        Rows of about one length are computed together. pictures: what each row speaks of, or None.
        """
        order = sorted(range(len(rows)), key=lambda number: len(rows[number].ids))
        found: dict[int, Tensor] = {}
        with self.inference():
            for numbers in _chunks(order, self.batch_size):
                shown = [pictures[number] for number in numbers]
                pixels = [None if picture is None else self.prepare(picture) for picture in shown]
                samples = [Encoded("", p, {STREAM: [rows[n]]}) for n, p in zip(numbers, pixels, strict=True)]
                predicted = self.forward(samples).predictions(STREAM)
                losses = F.cross_entropy(predicted.logits.float(), predicted.targets, reduction="none").cpu()
                counts = torch.bincount(predicted.rows.cpu(), minlength=len(numbers)).tolist()
                found |= dict(zip(numbers, torch.split(losses, counts), strict=True))
        return [found[number] for number in range(len(rows))]

    def write(
        self, prompts: Sequence[str], pictures: Sequence[Picture] | None = None, max_new_tokens: int = 64
    ) -> list[str]:
        """What the language model says after each prompt, greedily, about its picture where there are pictures.

        A picture given for several prompts (the same object) is encoded once.
        """
        language, how = self.model.require("language"), Decoding(max_new_tokens=max_new_tokens)
        batches = (
            self._prompts(prompts, pictures, numbers) for numbers in _chunks(range(len(prompts)), self.batch_size)
        )
        with self.inference():
            found = list(generate_batches(language, batches, self.tokenizer.eos, how))
        return [self.tokenizer.decode(said.ids) for batch in found for said in batch]

    def _prompts(
        self, prompts: Sequence[str], pictures: Sequence[Picture] | None, numbers: Sequence[int]
    ) -> list[Tensor]:
        """Some of the prompts as the language model reads them, behind their pictures where there are any."""
        ids = [torch.tensor(self.tokenizer.prompt(prompts[n]), device=self.device) for n in numbers]
        rows = [self.model.require("language").embed(row) for row in ids]
        if pictures is None:
            return rows
        prefixes = self.prefixes([pictures[number] for number in numbers])
        return [torch.cat([seen.to(row.dtype), row]) for seen, row in zip(prefixes, rows, strict=True)]

    def prefixes(self, pictures: Sequence[Picture]) -> Tensor:
        """Each picture as the language model reads it, `[P, prefix, D]`; call it inside `inference`."""
        groups = _by_picture(pictures, range(len(pictures)))
        shown = [pictures[group[0]] for group in groups]
        parts = [self.model.seen(self.forward(part).image) for part in self._pictures(shown)]
        place = {number: row for row, group in enumerate(groups) for number in group}
        return torch.cat(parts)[[place[number] for number in range(len(pictures))]]

    def _pictures(self, pictures: Sequence[Picture]) -> Iterator[list[Encoded]]:
        for numbers in _chunks(range(len(pictures)), self.batch_size):
            yield [Encoded("", self.prepare(pictures[number])) for number in numbers]


def _by_picture(pictures: Sequence[Picture], numbers: Sequence[int]) -> list[list[int]]:
    """The numbers of pictures, those of the same object together."""
    groups: dict[int, list[int]] = {}
    for number in numbers:
        groups.setdefault(id(pictures[number]), []).append(number)
    return list(groups.values())


def _chunks(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]
