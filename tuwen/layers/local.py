"""Each token with those just before it (the depthwise convolution of Primer, So et al. 2021, arXiv:2109.08668, 3.1).

At the embeddings alone it does what the first layer of a Transformer needs long to learn: a token knows what it follows
(Olsson et al. 2022, "In-context learning and induction heads", arXiv:2209.11895, their "smeared keys").
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Local(nn.Module):
    """Adds, channel by channel, learned shares of the `reach` tokens before each. Shapes: M tokens, the last L new.

    Neighbours are told by the places of tokens in their text, not in the row: a packed text does not reach into
    another, and the first word behind a picture's prefix follows the prefix wherever the word stands.
    """

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.shares = nn.Parameter(torch.randn(reach, width) * (2 * reach) ** -0.5)

    def forward(self, tokens: Tensor, places: Tensor, visible: Tensor) -> Tensor:
        """The last L of M tokens, each with those before it.

        Args:
            tokens: `[B, M, D]`.
            places: `[B, M]` int64, of each in its text.
            visible: `[B, L, M]` bool, which tokens each of the last L may see.

        Returns:
            `[B, L, D]`.
        """
        new = visible.shape[1]
        mixed = tokens[:, -new:]
        for distance, share in enumerate(self.shares.unbind(0), start=1):
            found = visible & (places[:, None] == places[:, -new:, None] - distance)
            before = tokens.gather(1, found.byte().argmax(2)[..., None].expand(-1, -1, tokens.shape[2]))
            mixed = mixed + share * before * found.any(2)[..., None]
        return mixed
