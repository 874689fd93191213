"""The text's tokens read the picture's patches (Li et al. 2021, ALBEF, arXiv:2107.07651, section 3.1)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from tuwen.core.errors import RecipeError
from tuwen.core.features import Features
from tuwen.core.rooms import PartConfig
from tuwen.fusion import Fusion, FusionContext
from tuwen.layers.blocks import CrossBlock
from tuwen.layers.init import initialise
from tuwen.layers.pooling import mean_pool
from tuwen.layers.ragged import Groups, Ragged

OF_WORDS = True
"""Its tokens are those of the text, in their order."""


class Config(PartConfig):
    """width, depth, heads and mlp_ratio (hidden units over width) of the blocks."""

    width: int = Field(default=192, ge=8)
    depth: int = Field(default=2, ge=1)
    heads: int = Field(default=3, ge=1)
    mlp_ratio: float = Field(default=4.0, gt=0)


class CrossAttentionFusion(Fusion):
    """Blocks of self-attention over the text, attention to the picture, and an MLP."""

    def __init__(self, config: Config, context: FusionContext) -> None:
        super().__init__()
        if config.width % config.heads:
            raise RecipeError(f"fusion cross_attention: heads {config.heads} does not divide width {config.width}.")
        self.width = config.width
        same = context.text_width == config.width
        self.enter = nn.Identity() if same else nn.Linear(context.text_width, config.width)
        self.blocks = nn.ModuleList(
            CrossBlock(config.width, config.heads, context.image_width, config.mlp_ratio) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width)
        initialise(self, config.depth)

    def forward(self, image: Features, text: Features, rows: Tensor | None = None) -> Features:
        mask = text.tokens.new_ones(text.tokens.shape[:2], dtype=torch.bool) if text.mask is None else text.mask
        layout = Ragged.of(mask, self.width)
        groups = Groups.of(layout, len(image.tokens) if rows is None else len(rows))
        tokens = self.enter(layout.lay(text.tokens))
        image_mask = image.mask if image.mask is None or rows is None else image.mask[rows]
        for block in self.blocks:
            assert isinstance(block, CrossBlock)
            context = block.cross.project(image.tokens)
            tokens = block(tokens, context if rows is None else context.select(rows), groups, image_mask)
        tokens = self.norm(tokens)
        return Features(layout.spread(tokens), layout.pool(tokens, mean_pool), text.mask)


def build(config: Config, context: FusionContext) -> CrossAttentionFusion:
    return CrossAttentionFusion(config, context)
