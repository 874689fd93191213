"""A causal Transformer (Radford et al. 2019, GPT-2): learned positions, pre-norm blocks, tied embeddings."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import PartConfig
from tuwen.language import LanguageContext, LanguageModel
from tuwen.layers.attention import KeyValues
from tuwen.layers.blocks import Block
from tuwen.layers.init import initialise


class Config(PartConfig):
    """width, depth, heads and mlp_ratio (hidden units over width) of the Transformer."""

    width: int = Field(default=192, ge=8)
    depth: int = Field(default=4, ge=1)
    heads: int = Field(default=3, ge=1)
    mlp_ratio: float = Field(default=4.0, gt=0)


class GPT(LanguageModel):
    """Embeddings in, hidden states out."""

    def __init__(self, config: Config, context: LanguageContext) -> None:
        super().__init__()
        if config.width % config.heads:
            raise RecipeError(f"language model gpt: heads {config.heads} does not divide width {config.width}.")
        self.width, self.max_length = config.width, context.max_length
        self.token = nn.Embedding(context.vocab_size, config.width)
        self.position = nn.Embedding(context.max_length, config.width)
        self.blocks = nn.ModuleList(Block(config.width, config.heads, config.mlp_ratio) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)
        initialise(self, config.depth)

    def embed(self, ids: Tensor) -> Tensor:
        return self.token(ids)

    def forward(self, embeddings: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        x = embeddings + self.position(positions)
        for block in self.blocks:
            x = block(x, mask.unsqueeze(1))
        return self.norm(x)

    def step(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, past: list[KeyValues] | None
    ) -> tuple[Tensor, list[KeyValues]]:
        x = embeddings + self.position(positions)
        now: list[KeyValues] = []
        for number, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            x, seen = block.step(x, mask.unsqueeze(1), None if past is None else past[number])
            now.append(seen)
        return self.norm(x), now

    def logits(self, hidden: Tensor) -> Tensor:
        return torch.nn.functional.linear(hidden, self.token.weight)


def build(config: Config, context: LanguageContext) -> GPT:
    return GPT(config, context)
