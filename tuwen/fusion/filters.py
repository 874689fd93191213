"""The text makes filters, and what of the picture answers them is counted, region by region.

Attention weighs patches against each other, so that one black square gives what three do; here each patch answers a
filter by itself, so that their sum tells how many there are. Filters that an input makes are those of De Brabandere et
al. 2016 (Dynamic Filter Networks, arXiv:1605.09673, section 3); how the text then modulates what was counted is FiLM
(Perez et al. 2018, arXiv:1709.07871, eq. 1 and 2). Shapes: P pictures, R texts, N patches, K filters, G regions.
"""

from __future__ import annotations

from math import isqrt

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from tuwen.core.errors import RecipeError
from tuwen.core.features import Features
from tuwen.core.rooms import PartConfig
from tuwen.fusion import Fusion, FusionContext


class Config(PartConfig):
    """width: of what is joined. filters: of each text.

    regions: parts a side of the picture, in each of which is counted alone: 2 for its four quarters. The patches must
        then be a square grid.
    """

    width: int = Field(default=128, ge=8)
    filters: int = Field(default=32, ge=1)
    regions: int = Field(default=1, ge=1)


class Modulated(nn.Module):
    """`ReLU((1 + γ(text)) · W x + β(text))`."""

    def __init__(self, before: int, width: int, text_width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(before, width)
        self.text = nn.Linear(text_width, 2 * width)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """`[R, ..., B]` and `[R, T]` → `[R, ..., D]`."""
        gain, shift = self.text(text).view(len(text), *[1] * (x.dim() - 2), -1).chunk(2, -1)
        return F.relu((1 + gain) * self.linear(x) + shift)


class FilterFusion(Fusion):
    """Filters from the text; of their answers the sum and the largest in each region; then over the regions."""

    def __init__(self, config: Config, context: FusionContext) -> None:
        super().__init__()
        self.width, self.filters, self.regions = config.width, config.filters, config.regions
        self.filter = nn.Linear(context.text_width, config.filters * context.image_width)
        self.bias = nn.Linear(context.text_width, config.filters)
        self.inside = Modulated(2 * config.filters, config.width, context.text_width)
        self.deeper = nn.Linear(config.width, config.width)
        self.whole = Modulated(2 * config.width, config.width, context.text_width)

    def forward(self, image: Features, text: Features, rows: Tensor | None = None) -> Features:
        tokens, mask = image.tokens, image.mask
        if rows is not None:
            tokens, mask = tokens[rows], None if mask is None else mask[rows]
        counted = self._count(self._answers(tokens, mask, text.pooled), len(text.pooled))
        regions = F.relu(self.deeper(self.inside(counted, text.pooled)))
        pooled = self.whole(torch.cat([regions.mean(1), regions.amax(1)], -1), text.pooled)
        return Features(regions, pooled)

    def _answers(self, tokens: Tensor, mask: Tensor | None, text: Tensor) -> Tensor:
        """Of each patch to the filters of all texts that meet its picture, `[P, (R/P)·K, N]`; none is below zero."""
        pictures, _, width = tokens.shape
        filters = self.filter(text).view(pictures, -1, width) * width**-0.5
        bias = self.bias(text).view(pictures, -1, 1)
        answers = F.relu(filters @ tokens.transpose(1, 2) + bias)
        return answers if mask is None else answers * mask.unsqueeze(1)

    def _count(self, answers: Tensor, texts: int) -> Tensor:
        """`[P, (R/P)·K, N]` → `[R, G, 2 K]`: sums, over the root of how many there could be, and largest answers."""
        pictures, _, patches = answers.shape
        parts, side = self.regions, isqrt(patches)
        if parts > 1 and (side * side != patches or side < parts):
            raise RecipeError(
                f"fusion filters: {patches} patches are no square grid of {parts} x {parts} regions; set regions to 1, "
                "or take an image tower whose patches are."
            )
        shape = (1, patches) if parts == 1 else (side, side)
        grid = answers.view(pictures, -1, *shape)
        root = (patches / parts**2) ** 0.5
        found = torch.stack([F.adaptive_avg_pool2d(grid, parts) * root, F.adaptive_max_pool2d(grid, parts)], 2)
        return found.view(texts, 2 * self.filters, parts**2).transpose(1, 2)


def build(config: Config, context: FusionContext) -> FilterFusion:
    return FilterFusion(config, context)
