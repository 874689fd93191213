"""A Transformer over a text's tokens (Vaswani et al. 2017; pre-norm), bidirectional or, as CLIP's, causal."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from tuwen.core.errors import RecipeError
from tuwen.core.features import Features
from tuwen.core.rooms import PartConfig
from tuwen.layers.blocks import Block
from tuwen.layers.init import initialise
from tuwen.layers.pooling import last_pool, mean_pool
from tuwen.layers.ragged import Ragged
from tuwen.towers.text import TextContext, TextTower


class Config(PartConfig):
    """width, depth, heads and mlp_ratio (hidden units over width) of the Transformer.

    causal: whether a token reads only those before it. pool: the `mean` of the tokens, or the `last`.
    """

    width: int = Field(default=192, ge=8)
    depth: int = Field(default=4, ge=1)
    heads: int = Field(default=3, ge=1)
    mlp_ratio: float = Field(default=4.0, gt=0)
    causal: bool = False
    pool: Literal["mean", "last"] = "mean"


class TextTransformer(TextTower):
    """Token and position embeddings through pre-norm blocks."""

    def __init__(self, config: Config, context: TextContext) -> None:
        super().__init__()
        if config.width % config.heads:
            raise RecipeError(f"text tower transformer: heads {config.heads} does not divide width {config.width}.")
        self.width = config.width
        self.token = nn.Embedding(context.vocab_size, config.width)
        self.position = nn.Parameter(torch.randn(1, context.max_length, config.width) * 0.02)
        self.blocks = nn.ModuleList(Block(config.width, config.heads, config.mlp_ratio) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)
        self.causal, self.pool = config.causal, {"mean": mean_pool, "last": last_pool}[config.pool]
        initialise(self, config.depth)

    def forward(self, ids: Tensor, mask: Tensor) -> Features:
        layout = Ragged.of(mask, self.width, self.causal)
        tokens = self._enter(ids, layout)
        for block in self.blocks:
            tokens = block(tokens, layout)
        tokens = self.norm(tokens)
        return Features(layout.spread(tokens), layout.pool(tokens, self.pool), mask)

    def pooled(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Behind its attention, the last block works on the last tokens alone, where they speak for the text."""
        if self.pool is not last_pool:
            return super().pooled(ids, mask)
        layout = Ragged.of(mask, self.width, self.causal)
        tokens = self._enter(ids, layout)
        *blocks, last = self.blocks
        for block in blocks:
            tokens = block(tokens, layout)
        assert isinstance(last, Block)
        return self.norm(last.ends(tokens, layout))

    def _enter(self, ids: Tensor, layout: Ragged) -> Tensor:
        """What the blocks read, `[1, T, D]`."""
        places = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        return self.token(layout.lay(ids)) + F.embedding(layout.lay(places), self.position[0])


def build(config: Config, context: TextContext) -> TextTransformer:
    return TextTransformer(config, context)
