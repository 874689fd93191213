"""Image towers. Each part's `build(config, context)` returns an `ImageTower`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from tuwen.core.features import Features


@dataclass(frozen=True, slots=True)
class ImageContext:
    """What an image tower is built for: pictures of `size` × `size` pixels.

    pretrained: whether a tower that names a checkpoint begins with its weights; not where it is given others.
    """

    size: int
    pretrained: bool = True


class ImageTower(nn.Module):
    """An encoder of pictures. `width` is the width D of what it returns, `patches` the number N of its tokens.

    late: its own parameters that are used behind its layers, and so learn as fast as the last (see `layer_decay`).
    """

    width: int
    patches: int
    late: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, pixels: Tensor) -> Features:
        """Normalised pixels `[B, 3, S, S]` → tokens `[B, N, D]` in reading order, pooled `[B, D]`."""

    def pooled(self, pixels: Tensor) -> Tensor:
        """As `forward`, for the vector of the whole alone, `[B, D]`; a tower may leave out what only tokens need."""
        return self(pixels).pooled
