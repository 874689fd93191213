"""A small residual convolutional network (He et al. 2016, arXiv:1603.05027: pre-activation blocks).

Its last grid of features is the tokens, so it can stand wherever a ViT stands. Each picture is normalised by itself
(Wu & He 2018, arXiv:1803.08494, one group), so that the batch it came in never changes a result.

With a `window` the tokens are the maxima of overlapping squares of that grid: a fine grid tells what a small thing is,
a token then says what is somewhere in its square, and a reader has few of them to look at. What attends to such tokens
learns shapes several times sooner than from the grid itself, or from neighbours joined into one token.
"""

from __future__ import annotations

import math
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

    stem: pixels a side that the first layer reads at once.
    window, step: side of the squares of the last grid that become a token each, and how far apart they are; 1 and 1
        make every place a token. pool: from the tokens to one vector.
    """

    channels: tuple[int, ...] = Field(default=(64, 128, 192), min_length=1)
    blocks: tuple[int, ...] = Field(default=(1, 1, 1), min_length=1)
    stem: int = Field(default=2, ge=1)
    window: int = Field(default=1, ge=1)
    step: int = Field(default=1, ge=1)
    pool: Literal["mean", "max"] = "mean"


class Windows(nn.Module):
    """The maximum of each square of a grid. `[B, D, S, S]` → `[B, D, side, side]`.

    The squares reach over the grid's edges evenly, so that a thing at an edge lies in as many as one in the middle.
    """

    def __init__(self, window: int, step: int, size: int) -> None:
        super().__init__()
        if window < step:
            raise RecipeError(f"image tower cnn: a window of {window} every {step} would leave places out.")
        if window > size:
            raise RecipeError(f"image tower cnn: a window of {window} is larger than the last grid, {size} a side.")
        self.window, self.step, self.padding, self.size = window, step, (window - step) // 2, size
        self.side = math.ceil((size + 2 * self.padding - window) / step) + 1

    def forward(self, grid: Tensor) -> Tensor:
        if self.window == 1:
            return grid
        return F.max_pool2d(grid, self.window, self.step, self.padding, ceil_mode=True)  # no place is left out


def planes(channels: int, size: int) -> Tensor:
    """`[1, channels, size, size]`: a plane of random slope for each channel, across a grid.

    Positions begin as something smooth, so that where a thing is can be read from the first step on.
    """
    line = torch.linspace(-1, 1, size) if size > 1 else torch.zeros(1)
    across, down = torch.randn(2, 1, channels, 1, 1)
    return (across * line + down * line.unsqueeze(1)).contiguous()


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
    """Stages of residual blocks, their windows, and where these are.

    A learned position is added to each place of the last grid before the maxima are taken, so that a token also tells
    where in its square a thing is; and one to each token behind the norm, where a reader finds it undisturbed.
    """

    late = ("position", "place")

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
        self.windows = Windows(config.window, config.step, context.size // stride)
        self.patches = self.windows.side**2
        self.stages = nn.Sequential(*layers)
        self.pool = POOLS[config.pool]
        self.norm = nn.LayerNorm(self.width)
        self.position = nn.Parameter(planes(self.width, self.windows.size))
        self.place = nn.Parameter(0.5 * planes(self.width, self.windows.side).flatten(2).mT.contiguous())

    def forward(self, pixels: Tensor) -> Features:
        grid = self.stages(pixels)
        tokens = self.norm(self.windows(grid + self.position).flatten(2).transpose(1, 2)) + self.place
        return Features(tokens, self.pool(tokens), intermediates={"grid": grid})


def build(config: Config, context: ImageContext) -> CNN:
    return CNN(config, context)
