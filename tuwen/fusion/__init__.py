"""Where two modalities meet. Each part's `build(config, context)` returns a `Fusion`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from tuwen.core.features import Features


@dataclass(frozen=True, slots=True)
class FusionContext:
    """What a fusion is built for: the widths of the two towers."""

    image_width: int
    text_width: int


class Fusion(nn.Module):
    """Joins texts with their pictures. `width` is the width D of what it returns."""

    width: int

    @abstractmethod
    def forward(self, image: Features, text: Features, rows: Tensor | None = None) -> Features:
        """Join each text with a picture.

        Args:
            image: features of P pictures.
            text: features of R texts.
            rows: `[R]` int64, the picture that each text meets. None: R = P·K, and K texts meet each picture in turn,
                which needs no copy of the picture's features.

        Returns:
            pooled `[R, D]`, and tokens `[R, N, D]`.
        """


def spread(pooled: Tensor, texts: int, rows: Tensor | None) -> Tensor:
    """A picture's vector for each of its texts. `[P, D]` → `[texts, D]`."""
    return pooled[rows] if rows is not None else pooled.repeat_interleave(texts // len(pooled), 0)
