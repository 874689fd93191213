"""Each token with those just before it (the depthwise convolution of Primer, So et al. 2021, arXiv:2109.08668, 3.1).

At the embeddings alone it does what the first layer of a Transformer needs long to learn: a token knows what it follows
(Olsson et al. 2022, "In-context learning and induction heads", arXiv:2209.11895, their "smeared keys").
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
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
        rows, length, width = tokens.shape
        # behind the tokens of each row stands one of zeros, for those that have none before them
        table = torch.cat([tokens, tokens.new_zeros(rows, 1, width)], 1).flatten(0, 1)
        begin = (length + 1) * torch.arange(rows, device=tokens.device)[:, None]
        mixed = tokens[:, -visible.shape[1] :]
        for share, column in zip(self.shares.unbind(0), self._before(places, visible), strict=False):
            before = table.index_select(0, (begin + column).flatten()).view_as(mixed)
            mixed = torch.addcmul(mixed, share.to(mixed.dtype), before)
        return mixed

    def _before(self, places: Tensor, visible: Tensor) -> Iterator[Tensor]:
        """Where the token 1, 2, ... before each of the last L stands: `[B, L]` columns, M where there is none."""
        new, length = visible.shape[1:]
        column = just_before = _column(places, visible, 1)
        yield column
        for distance in range(2, len(self.shares) + 1):
            if new == length:  # what stands before the one before it: no need to look through all of them again
                column = F.pad(just_before, (0, 1), value=length).gather(1, column)
            else:
                column = _column(places, visible, distance)
            yield column


def _column(places: Tensor, visible: Tensor, distance: int) -> Tensor:
    """The column of the visible token that stands so many places before each of the last L; M where there is none."""
    found = visible & (places[:, None] == places[:, -visible.shape[1] :, None] - distance)
    there, column = found.byte().max(2)
    return torch.where(there.bool(), column, visible.shape[2])
