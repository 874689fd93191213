"""A small residual convolutional network (He et al. 2016, arXiv:1603.05027: pre-activation blocks).

Its last grid of features is the tokens, so it can stand wherever a ViT stands. Each picture is normalised by itself
(Wu & He 2018, arXiv:1803.08494, one group), so that the batch it came in never changes a result.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from tuwen.core.errors import RecipeError
from tuwen.core.features import Features
from tuwen.core.rooms import PartConfig
from tuwen.layers.pooling import POOLS
from tuwen.towers.image import ImageContext, ImageTower


class Config(PartConfig):
    """channels: width of each stage, each half the resolution of the one before; blocks: residual blocks a stage.

    stem: pixels a side that the first layer reads at once. pool: from the tokens to one vector.
    """

    channels: tuple[int, ...] = Field(default=(64, 128, 192), min_length=1)
    blocks: tuple[int, ...] = Field(default=(1, 1, 1), min_length=1)
    stem: int = Field(default=2, ge=1)
    pool: Literal["mean", "max"] = "mean"


class ResidualBlock(nn.Module):
    """Normalise, convolve, normalise, convolve, add."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(1, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(1, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(h)))


class CNN(ImageTower):
    """Stages of residual blocks; a learned position is added to each place of the last grid."""

    def __init__(self, config: Config, context: ImageContext) -> None:
        super().__init__()
        stride = config.stem * 2 ** (len(config.channels) - 1)
        if len(config.blocks) != len(config.channels):
            raise RecipeError("image tower cnn: `blocks` and `channels` need one number for each stage.")
        if context.size % stride:
            raise RecipeError(f"image tower cnn: its stride {stride} does not divide the picture size {context.size}.")
        layers: list[nn.Module] = []
        before, kernel = 3, config.stem
        for channels, blocks in zip(config.channels, config.blocks, strict=True):
            layers.append(nn.Conv2d(before, channels, kernel, stride=kernel))
            layers += [ResidualBlock(channels) for _ in range(blocks)]
            before, kernel = channels, 2
        self.width = before
        self.patches = (context.size // stride) ** 2
        self.stages = nn.Sequential(*layers)
        self.pool = POOLS[config.pool]
        self.norm = nn.LayerNorm(self.width)
        self.position = nn.Parameter(torch.randn(1, self.patches, self.width) * 0.02)

    def forward(self, pixels: Tensor) -> Features:
        grid = self.stages(pixels)
        tokens = self.norm(grid.flatten(2).transpose(1, 2)) + self.position
        return Features(tokens, self.pool(tokens), intermediates={"grid": grid})


def build(config: Config, context: ImageContext) -> CNN:
    return CNN(config, context)
