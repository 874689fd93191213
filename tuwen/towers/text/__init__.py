"""Text towers. Each part's `build(config, context)` returns a `TextTower`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from tuwen.core.features import Features


@dataclass(frozen=True, slots=True)
class TextContext:
    """What a text tower is built for: the size of the vocabulary and the longest text in tokens.

    pretrained: whether a tower that names a checkpoint begins with its weights; not where it is given others.
    """

    vocab_size: int
    max_length: int
    pretrained: bool = True


class TextTower(nn.Module):
    """An encoder of texts. `width` is the width D of what it returns."""

    width: int

    @abstractmethod
    def forward(self, ids: Tensor, mask: Tensor) -> Features:
        """ids `[B, L]` and mask bool `[B, L]` (padding behind) → tokens `[B, L, D]`, pooled `[B, D]`.

        What stands in padded places never changes a result.
        """

    def pooled(self, ids: Tensor, mask: Tensor) -> Tensor:
        """As `forward`, for the vector of the whole alone, `[B, D]`; a tower may leave out what only tokens need."""
        return self(ids, mask).pooled
