"""A batch: pictures once, and the texts that go with them in named streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from tuwen.core.sample import Rectangle

PICTURE = -1
"""Stands among the ids of a row for a picture, whose prefix a language model reads there."""


@dataclass(frozen=True, slots=True)
class RowPhrases:
    """Which tokens of a row name things, and where these are.

    of: for each token the number of its phrase, from 1; 0 where it has none. boxes: of each phrase, its things.
    """

    of: list[int]
    boxes: tuple[tuple[Rectangle, ...], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One text of one sample as a task encodes it, before batching.

    ids: token ids, special tokens included.
    loss_mask: for each id, whether predicting it carries a loss; None where the row is only read.
    target: the class that a head should give for the row; None where no head reads it.
    phrases: those of its words that name things of the picture; None where that is not known.
    """

    ids: list[int]
    loss_mask: list[bool] | None = None
    target: int | None = None
    phrases: RowPhrases | None = None


@dataclass(frozen=True, slots=True)
class Phrases:
    """Which tokens name things of the picture. Shapes: R rows, L tokens; K phrases a row, M things a phrase.

    of: `[R, L]` int64, the number of each token's phrase, from 1; 0 where it has none.
    number: `[R, K]` int64, how many things each phrase names; -1 where a row has no such phrase.
    boxes: `[R, K, M, 4]` float32 `(x0, y0, x1, y1)` of the things from left to right, as fractions of the picture, and
        zeros behind them.
    """

    of: Tensor
    number: Tensor
    boxes: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> Phrases:
        """The same with each tensor changed."""
        return Phrases(change(self.of), change(self.number), change(self.boxes))


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Texts as padded rows. Shapes: R rows, L tokens, P pictures of the batch.

    ids: `[R, L]` int64; padding is the tokenizer's pad id.
    segments: `[R, L]` int64; 0 is padding, 1, 2, ... number the texts packed into a row. A plain row has only 1.
    image: `[R]` int64, the picture that each row speaks of; -1 where there is none.
    loss_mask: `[R, L]` bool, the positions whose token is to be predicted (from the tokens before it), or None.
    target: `[R]` int64, the class of each row (-100 where unknown), or None.
    rows_per_image: K where every picture of the batch has exactly K rows, in the pictures' order (R = P·K); else None.
    slots: `[S]` int64, the picture of each `PICTURE` among the ids, in reading order; None where pictures stand before
        their texts and not among them (then `image` is their picture).
    phrases: which tokens name things of the picture, or None.
    """

    ids: Tensor
    segments: Tensor
    image: Tensor
    loss_mask: Tensor | None = None
    target: Tensor | None = None
    rows_per_image: int | None = None
    slots: Tensor | None = None
    phrases: Phrases | None = None

    @property
    def attention_mask(self) -> Tensor:
        """`[R, L]` bool: True where there is a token."""
        return self.segments > 0

    def to(self, device: torch.device | str, non_blocking: bool = False) -> TextBatch:
        """The same texts on another device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> TextBatch:
        """The same texts in page-locked memory, from which a copy to an accelerator need not wait."""
        return self._map(Tensor.pin_memory)

    def _map(self, change: Callable[[Tensor], Tensor]) -> TextBatch:
        tensors = ("ids", "segments", "image", "loss_mask", "target", "slots")
        named = ((name, getattr(self, name)) for name in tensors)
        changed: dict[str, Any] = {name: None if value is None else change(value) for name, value in named}
        return replace(self, **changed, phrases=self.phrases and self.phrases.map(change))


@dataclass(frozen=True, slots=True)
class Batch:
    """What one forward pass reads.

    pixels: `[P, H, W, 3]` uint8 (normalised on the device, by the model), or None for text alone.
    texts: the streams, by name: `caption`, `retrieve`, `vqa`, ...
    target: `[P]` int64 class of each picture (-100 where unknown), or None.
    tags: `[P, C]` int64, for each class whether it fits the picture: 1, 0, or -100 where unknown; or None.
    views: `[P, H, W, 3]` uint8, each picture once more, otherwise augmented; or None.
    keys: the samples in the batch, for messages.
    """

    pixels: Tensor | None = None
    texts: dict[str, TextBatch] = field(default_factory=dict)
    target: Tensor | None = None
    tags: Tensor | None = None
    views: Tensor | None = None
    keys: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch on another device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory, from which a copy to an accelerator need not wait."""
        return self._map(Tensor.pin_memory)

    def _map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        named = ((name, getattr(self, name)) for name in ("pixels", "target", "tags", "views"))
        changed: dict[str, Any] = {name: None if value is None else change(value) for name, value in named}
        return replace(self, texts={name: text._map(change) for name, text in self.texts.items()}, **changed)
