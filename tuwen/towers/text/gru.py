"""A gated recurrent unit over a text's tokens (Cho et al. 2014, arXiv:1406.1078), pooled at the last real token."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from tuwen.core.features import Features
from tuwen.core.rooms import PartConfig
from tuwen.layers.pooling import last_pool
from tuwen.towers.text import TextContext, TextTower


class Config(PartConfig):
    """embedding: width of the token embeddings. width: of the state. layers: one on top of the other."""

    embedding: int = Field(default=512, ge=1)
    width: int = Field(default=512, ge=1)
    layers: int = Field(default=1, ge=1)


class TextGRU(TextTower):
    """Left to right, so that padding behind a text cannot reach its states."""

    def __init__(self, config: Config, context: TextContext) -> None:
        super().__init__()
        self.width = config.width
        self.token = nn.Embedding(context.vocab_size, config.embedding)
        self.gru = nn.GRU(config.embedding, config.width, config.layers, batch_first=True)

    def forward(self, ids: Tensor, mask: Tensor) -> Features:
        tokens, _ = self.gru(self.token(ids))
        tokens = tokens * mask.unsqueeze(-1)
        return Features(tokens, last_pool(tokens, mask), mask)


def build(config: Config, context: TextContext) -> TextGRU:
    return TextGRU(config, context)
