"""From one vector a token to a few, by queries that are learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tuwen.layers.attention import CrossAttention


class AttentionPool(nn.Module):
    """Learned queries that read the tokens (Lee et al. 2019, Set Transformer, arXiv:1810.00825, eq. 11)."""

    def __init__(self, width: int, heads: int, context_width: int, queries: int = 1) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, width) * 0.02)
        self.norm = nn.LayerNorm(context_width)
        self.attention = CrossAttention(width, heads, context_width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """`[B, N, C]` and bool `[B, N]` → `[B, queries, D]`."""
        queries = self.queries.expand(len(tokens), -1, -1)
        return self.attention.by_few(queries, self.norm(tokens), mask)
