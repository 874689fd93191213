"""From a picture's patches to embeddings that a language model reads as if they were words.

Tsimpoukelli et al. 2021, "Multimodal few-shot learning with frozen language models", arXiv:2106.13884, section 3.
Shapes: B pictures, N patches, D width of the image tower, P prefix tokens, E width of the language model.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from tuwen.core.errors import RecipeError
from tuwen.layers.pooling import AttentionPool
from tuwen.models.config import PrefixConfig
from tuwen.towers.image import ImageTower


class Merge(nn.Module):
    """Joins `merge` × `merge` neighbouring patches. `[B, N, D]` → `[B, N / merge², D · merge²]`."""

    def __init__(self, merge: int, tower: ImageTower) -> None:
        super().__init__()
        self.side = math.isqrt(tower.patches)
        if self.side**2 != tower.patches or self.side % merge:
            raise RecipeError(f"model.prefix.merge: {merge} does not divide the tower's {tower.patches} patches.")
        self.merge = merge
        self.length = tower.patches // merge**2
        self.width = tower.width * merge**2

    def forward(self, tokens: Tensor) -> Tensor:
        rows, _, width = tokens.shape
        side = self.side // self.merge
        grid = tokens.view(rows, side, self.merge, side, self.merge, width)
        return grid.transpose(2, 3).reshape(rows, self.length, self.width)


class Pool(nn.Module):
    """Learned queries read the patches. `[B, N, D]` → `[B, tokens, D]`."""

    def __init__(self, tokens: int, tower: ImageTower) -> None:
        super().__init__()
        self.length, self.width = tokens, tower.width
        heads = next(heads for heads in (8, 4, 2, 1) if tower.width % heads == 0)
        self.pool = AttentionPool(tower.width, heads, tower.width, tokens)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.pool(tokens)


def prefix_reader(config: PrefixConfig, tower: ImageTower) -> Merge | Pool:
    """What turns an image tower's patches into `length` vectors of `width`."""
    return Pool(config.tokens, tower) if config.tokens else Merge(config.merge, tower)


class Prefix(nn.Module):
    """`[B, N, D]` → `[B, length, E]`."""

    def __init__(self, reader: Merge | Pool, width: int) -> None:
        super().__init__()
        self.length = reader.length
        self.reader = reader
        self.projection = nn.Linear(reader.width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.projection(self.reader(tokens))
