"""Transformer blocks with a norm before and a residual around each part (Xiong et al. 2020, arXiv:2002.04745)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.layers.attention import CrossAttention, SelfAttention, pick
from tuwen.layers.key_values import KeyValues
from tuwen.layers.linear import Linear
from tuwen.layers.onednn import Gelu
from tuwen.layers.packed import LINEAR, PackedLinear, PacksItself, part_packed, with_parts_packed
from tuwen.layers.pooling import last_pool
from tuwen.layers.ragged import Groups, Ragged
from tuwen.layers.rotary import Rotation


class MLP(PacksItself):
    """`[..., D]` → `[..., D]` through `ratio · D` hidden units with GELU. gelu: its approximation."""

    def __init__(self, width: int, ratio: float = 4.0, gelu: Gelu = "none") -> None:
        super().__init__()
        self.up = Linear(width, int(width * ratio))
        self.down = Linear(int(width * ratio), width)
        self.gelu = gelu

    def forward(self, x: Tensor) -> Tensor:
        return self.down(gelu(self.up(x), self.gelu))

    def packed(self) -> nn.Module:
        """GELU is computed where the product's results are still at hand."""
        if type(self.up) not in LINEAR:  # an adapter sits on it
            return with_parts_packed(self)
        return nn.Sequential(PackedLinear(self.up.weight, self.up.bias, self.gelu), part_packed(self.down))


def gelu(x: Tensor, approximate: Gelu) -> Tensor:
    """GELU of any shape. Without gradients, a CPU takes half as long for the approximation by tanh as in PyTorch."""
    if approximate == "none" or x.requires_grad or x.device.type != "cpu":
        return F.gelu(x, approximate=approximate)
    # (1 + tanh u) / 2 is the sigmoid of 2 u, here with u = √(2/π) (x + 0.044715 x³)
    factor = torch.tensor(2 * (2 / math.pi) ** 0.5, dtype=x.dtype, device=x.device)
    return torch.addcmul(factor, x, x, value=0.044715 * float(factor)).mul_(x).sigmoid_().mul_(x)


class Block(nn.Module):
    """Self-attention, then an MLP."""

    def __init__(self, width: int, heads: int, ratio: float = 4.0, gelu: Gelu = "none") -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = MLP(width, ratio, gelu)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | Ragged | None = None,
        rotation: Rotation | None = None,
        asking: Tensor | None = None,
    ) -> Tensor:
        """x `[B, N, D]`; mask bool, broadcastable to `[B, H, N, N]`; the rest as in `step`. Returns `[B, N, D]`.

        With a layout in the place of the mask, x is `[1, T, D]`: its rows laid end to end.
        """
        if isinstance(mask, Ragged):
            x = x + self.attention.ragged(self.attention_norm(x), mask)
            return x + self.mlp(self.mlp_norm(x))
        if asking is None:
            return self.step(x, mask, None, rotation)[0]
        x = pick(x, asking) + self.attention.asked(self.attention_norm(x), asking, mask, rotation)
        return x + self.mlp(self.mlp_norm(x))

    def ends(self, x: Tensor, layout: Ragged) -> Tensor:
        """As `forward` with a layout, for the last token of each row alone. `[1, T, D]` → `[R, D]`."""
        last = layout.pool(x, last_pool) + self.attention.ends(self.attention_norm(x), layout)
        return last + self.mlp(self.mlp_norm(last))

    def step(
        self,
        x: Tensor,
        mask: Tensor | None,
        past: KeyValues | None,
        rotation: Rotation | None = None,
        asking: Tensor | None = None,
    ) -> tuple[Tensor, KeyValues]:
        """As `forward`, for tokens that come after those in `past`; also returns the past with them.

        rotation: of the tokens in `x`, where positions are told by rotation. asking: `[B, Q]` int64, the only tokens
        of each row that go on, `[B, Q, D]`; None for all.
        """
        mixed, now = self.attention(self.attention_norm(x), mask, past, rotation, asking)
        if asking is not None:
            x = pick(x, asking)
        x = x + mixed
        return x + self.mlp(self.mlp_norm(x)), now


class CrossBlock(nn.Module):
    """Self-attention, attention to a context, then an MLP."""

    def __init__(self, width: int, heads: int, context_width: int, ratio: float = 4.0) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.cross_norm = nn.LayerNorm(width)
        self.cross = CrossAttention(width, heads, context_width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = MLP(width, ratio)

    def forward(self, x: Tensor, context: KeyValues, groups: Groups, mask: Tensor | None = None) -> Tensor:
        """`[1, T, D]` → `[1, T, D]`, rows laid end to end.

        context: from `cross.project`, a row for each group. mask: of the context, as in `CrossAttention`.
        """
        x = x + self.attention.ragged(self.attention_norm(x), groups.layout)
        x = x + self.cross.ragged(self.cross_norm(x), context, groups, mask)
        return x + self.mlp(self.mlp_norm(x))
