"""A causal Transformer (Radford et al. 2019, GPT-2): pre-norm blocks, tied embeddings, learned or rotary positions."""

from __future__ import annotations

from itertools import repeat
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import PartConfig
from tuwen.language import LanguageContext, LanguageModel
from tuwen.layers.blocks import Block
from tuwen.layers.init import initialise
from tuwen.layers.key_values import KeyValues
from tuwen.layers.local import Local
from tuwen.layers.onednn import Gelu
from tuwen.layers.packed import PackedLinear, PacksItself, with_parts_packed
from tuwen.layers.rotary import Rotation


class Config(PartConfig):
    """width, depth, heads and mlp_ratio (hidden units over width) of the Transformer.

    positions: a `learned` vector for each place, or `rotary`: only how far two tokens are apart is told, which learns
        faster what holds at any place of a text, such as copying.
    gelu: `none` for GELU as it is defined, `tanh` for GPT-2's approximation of it.
    reach: so many tokens before each are mixed into its embedding; a few let a small model copy and bind words in
        context after hundreds of steps instead of thousands. 0 for none.
    """

    width: int = Field(default=192, ge=8)
    depth: int = Field(default=4, ge=1)
    heads: int = Field(default=3, ge=1)
    mlp_ratio: float = Field(default=4.0, gt=0)
    positions: Literal["learned", "rotary"] = "learned"
    gelu: Gelu = "none"
    reach: int = Field(default=0, ge=0)


class GPT(LanguageModel, PacksItself):
    """Embeddings in, hidden states out."""

    def __init__(self, config: Config, context: LanguageContext) -> None:
        super().__init__()
        if config.width % config.heads:
            raise RecipeError(f"language model gpt: heads {config.heads} does not divide width {config.width}.")
        if config.positions == "rotary" and config.width // config.heads % 2:
            each = config.width // config.heads
            raise RecipeError(f"language model gpt: rotary positions need heads of an even width, not {each}.")
        self.width, self.max_length, self.vocab_size = config.width, context.max_length, context.vocab_size
        self.token = nn.Embedding(context.vocab_size, config.width)
        learned = config.positions == "learned"
        self.position = nn.Embedding(context.max_length, config.width) if learned else None
        self.head_width = config.width // config.heads
        self.local = Local(config.width, config.reach) if config.reach else None
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.mlp_ratio, config.gelu) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width)
        self.head: PackedLinear | None = None
        initialise(self, config.depth)

    def embed(self, ids: Tensor) -> Tensor:
        return self.token(ids)

    def hidden_at(self, embeddings: Tensor, positions: Tensor, mask: Tensor, asking: Tensor) -> Tensor:
        return self(embeddings, positions, mask, asking)

    def forward(self, embeddings: Tensor, positions: Tensor, mask: Tensor, asking: Tensor | None = None) -> Tensor:
        """asking: as in `hidden_at`; None for all."""
        if self.local is not None:
            embeddings = self.local(embeddings, positions, mask)
        x, rotation = self._place(embeddings, positions)
        for number, block in enumerate(self.blocks, start=1):
            x = block(x, mask.unsqueeze(1), rotation, asking if number == len(self.blocks) else None)
        return self.norm(x)

    def step(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, past: list[KeyValues] | None
    ) -> tuple[Tensor, list[KeyValues]]:
        return self._step(embeddings, positions, mask, past, None)

    def read(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, asking: Tensor
    ) -> tuple[Tensor, list[KeyValues]]:
        hidden, past = self._step(embeddings, positions, mask, None, asking.unsqueeze(1))
        return hidden[:, 0], past

    def _step(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, past: list[KeyValues] | None, asking: Tensor | None
    ) -> tuple[Tensor, list[KeyValues]]:
        """asking: `[B, Q]`, the only tokens of each row that are wanted from the last layer; None for all."""
        now: list[KeyValues] = []
        layers = iter(past) if past is not None else repeat(None)
        if self.local is not None:
            read = self._remember(embeddings, positions, next(layers))
            embeddings = self.local(read.key[:, 0], read.value[:, 0, :, 0], mask)
            now.append(read)
        x, rotation = self._place(embeddings, positions)
        for number, block in enumerate(self.blocks, start=1):
            assert isinstance(block, Block)
            last = number == len(self.blocks)
            x, seen = block.step(x, mask.unsqueeze(1), next(layers), rotation, asking if last else None)
            now.append(seen)
        return self.norm(x), now

    def _remember(self, embeddings: Tensor, positions: Tensor, past: KeyValues | None) -> KeyValues:
        """All embeddings read so far with their positions, kept as a layer's keys and values are: `[B, 1, M, ...]`."""
        entry = embeddings[:, None], positions[:, None, :, None]
        return KeyValues(*entry) if past is None else past.extend(*entry)

    def _place(self, embeddings: Tensor, positions: Tensor) -> tuple[Tensor, Rotation | None]:
        if self.position is None:
            return embeddings, Rotation.of(positions, self.head_width)
        return embeddings + self.position(positions), None

    def logits(self, hidden: Tensor) -> Tensor:
        return self.head(hidden) if self.head else torch.nn.functional.linear(hidden, self.token.weight)

    def packed(self) -> GPT:
        """The table of embeddings is laid out for `logits` too."""
        made = with_parts_packed(self)
        made.head = PackedLinear(self.token.weight)
        return made


def build(config: Config, context: LanguageContext) -> GPT:
    return GPT(config, context)
