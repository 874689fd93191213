"""An image tower behind which a linear map stands."""

from __future__ import annotations

from torch import Tensor, nn

from tuwen.core.features import Features
from tuwen.towers.image import ImageTower


class Projected(ImageTower):
    """A tower whose tokens and pooled vector go through one linear map to another width."""

    def __init__(self, tower: ImageTower, width: int) -> None:
        super().__init__()
        self.tower, self.patches, self.width = tower, tower.patches, width
        self.project = nn.Linear(tower.width, width)

    def forward(self, pixels: Tensor) -> Features:
        seen = self.tower(pixels)
        return Features(self.project(seen.tokens), self.project(seen.pooled), seen.mask, seen.intermediates)
