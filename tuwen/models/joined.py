"""Several batches as one, of which nothing but the embeddings is known: for what compares all samples of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.core.batch import Batch, TextBatch
from tuwen.models.forward import Forward

if TYPE_CHECKING:
    from tuwen.models.model import VisionLanguageModel

IMAGE = "image"
"""The name of the pictures' embeddings; those of texts have their stream's name in a pair with `TEXT`."""
TEXT = "text"

Embeddings = Mapping[tuple[str, ...], Tensor]


def embeddings(forward: Forward, streams: Sequence[str]) -> dict[tuple[str, ...], Tensor]:
    """Those of a batch's pictures and of the texts of some streams, as far as it has them; none for no stream."""
    if not streams:
        return {}
    found = {} if forward.batch.pixels is None else {(IMAGE,): forward.image_embedding}
    there = [stream for stream in streams if stream in forward.batch.texts]
    return found | {(TEXT, stream): forward.text_embedding(stream) for stream in there}


class Joined(Forward):
    """A forward pass over several batches whose embeddings were computed before."""

    def __init__(self, model: VisionLanguageModel, batches: Sequence[Batch], found: Sequence[Embeddings]) -> None:
        names = sorted({name for each in found for name in each})
        whole = {name: torch.cat([each[name] for each in found if name in each]) for name in names}
        batch = join(batches, [name[1] for name in names if name[0] == TEXT])
        super().__init__(model, batch.to(model.mean.device))
        self._memo |= {(f"{name[0]}_embedding", *name[1:]): value for name, value in whole.items()}


def join(batches: Sequence[Batch], streams: Sequence[str]) -> Batch:
    """The pictures (as squares of no pixels) and the texts of some streams of several batches, in one batch."""
    pictures = [0 if batch.pixels is None else len(batch.pixels) for batch in batches]
    first = torch.tensor([0, *pictures]).cumsum(0).tolist()
    numbered = list(zip(batches, first, strict=False))
    texts = {
        stream: _join_texts([(batch.texts[stream], number) for batch, number in numbered if stream in batch.texts])
        for stream in streams
    }
    pixels = torch.empty(sum(pictures), 0, 0, 3, dtype=torch.uint8) if any(pictures) else None
    return Batch(pixels=pixels, texts=texts, keys=tuple(key for batch in batches for key in batch.keys))


def _join_texts(parts: Sequence[tuple[TextBatch, int]]) -> TextBatch:
    """Each with the number of its batch's first picture."""
    longest = max(text.ids.shape[1] for text, _ in parts)

    def widened(values: Tensor) -> Tensor:
        return F.pad(values, (0, longest - values.shape[1]))

    return TextBatch(
        ids=torch.cat([widened(text.ids) for text, _ in parts]),
        segments=torch.cat([widened(text.segments) for text, _ in parts]),
        image=torch.cat([torch.where(text.image < 0, -1, text.image + first) for text, first in parts]),
    )
