"""Vision Transformer (Dosovitskiy et al. 2021, arXiv:2010.11929).

With `stem: [32, 64]` the patches are made by stride-2 convolutions and not by one linear map, which trains faster and
more surely on little data (Xiao et al. 2021, "Early convolutions help transformers see better", arXiv:2106.14881).
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from tuwen.core.errors import RecipeError
from tuwen.core.features import Features
from tuwen.core.rooms import PartConfig
from tuwen.layers.blocks import Block
from tuwen.layers.init import initialise
from tuwen.layers.pooling import POOLS
from tuwen.towers.image import ImageContext, ImageTower


class Config(PartConfig):
    """width, depth, heads and mlp_ratio (hidden units over width) of the Transformer.

    patch: pixels a side. stem: channels of stride-2 convolutions before it.
    pool: from the tokens to one vector; `class` for a learned token of its own that reads the patches.
    enter_norm: a norm before the first block, as CLIP has.
    """

    width: int = Field(default=192, ge=8)
    depth: int = Field(default=6, ge=1)
    heads: int = Field(default=3, ge=1)
    patch: int = Field(default=8, ge=1)
    mlp_ratio: float = Field(default=4.0, gt=0)
    stem: tuple[int, ...] = ()
    pool: Literal["mean", "max", "class"] = "mean"
    enter_norm: bool = False


class ViT(ImageTower):
    """Patches with a learned position each, through pre-norm blocks."""

    def __init__(self, config: Config, context: ImageContext) -> None:
        super().__init__()
        _check(config, context)
        self.width = config.width
        side = context.size // config.patch
        self.patches = side * side
        self.stem = _stem(config)
        self.class_token = nn.Parameter(torch.zeros(1, 1, config.width)) if config.pool == "class" else None
        length = self.patches + (self.class_token is not None)
        self.position = nn.Parameter(torch.randn(1, length, config.width) * 0.02)
        self.enter_norm = nn.LayerNorm(config.width) if config.enter_norm else nn.Identity()
        self.blocks = nn.ModuleList(Block(config.width, config.heads, config.mlp_ratio) for _ in range(config.depth))
        self.pool = POOLS.get(config.pool)
        self.norm = nn.LayerNorm(config.width)
        initialise(self.blocks, config.depth)

    def forward(self, pixels: Tensor) -> Features:
        tokens = self._patches(pixels)
        intermediates = {}
        for number, block in enumerate(self.blocks):
            tokens = block(tokens)
            intermediates[f"block{number}.out"] = tokens
        tokens = self.norm(tokens)
        if self.pool is None:
            return Features(tokens[:, 1:], tokens[:, 0], intermediates=intermediates)
        return Features(tokens, self.pool(tokens), intermediates=intermediates)

    def pooled(self, pixels: Tensor) -> Tensor:
        """The last block works for the class token alone, where there is one."""
        if self.class_token is None:
            return super().pooled(pixels)
        tokens = self._patches(pixels)
        *blocks, last = self.blocks
        for block in blocks:
            tokens = block(tokens)
        first = torch.zeros(len(tokens), 1, dtype=torch.int64, device=tokens.device)
        return self.norm(last(tokens, asking=first)[:, 0])

    def _patches(self, pixels: Tensor) -> Tensor:
        """What the blocks read, `[B, N, D]`; the class token stands first."""
        tokens = self.stem(pixels).flatten(2).transpose(1, 2)
        if self.class_token is not None:
            tokens = torch.cat([self.class_token.expand(len(tokens), -1, -1).to(tokens.dtype), tokens], 1)
        # In the precision of the convolution, as in open_clip: on a CPU, float32 past blocks of bf16 costs a tenth of
        # a step.
        return self.enter_norm(tokens + self.position.to(tokens.dtype))


def _stem(config: Config) -> nn.Module:
    layers: list[nn.Module] = []
    channels, stride = 3, config.patch
    for width in config.stem:
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.GroupNorm(1, width), nn.GELU()]
        channels, stride = width, stride // 2
    return nn.Sequential(*layers, nn.Conv2d(channels, config.width, stride, stride=stride))


def _check(config: Config, context: ImageContext) -> None:
    if context.size % config.patch:
        raise RecipeError(f"image tower vit: patch {config.patch} does not divide the picture size {context.size}.")
    if config.width % config.heads:
        raise RecipeError(f"image tower vit: heads {config.heads} does not divide width {config.width}.")
    if config.patch % 2 ** len(config.stem):
        raise RecipeError(
            f"image tower vit: {len(config.stem)} stem layers halve the picture more often than patch {config.patch}."
        )


def build(config: Config, context: ImageContext) -> ViT:
    return ViT(config, context)
