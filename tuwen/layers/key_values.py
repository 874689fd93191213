"""What a decoder remembers of the tokens that it has read: their keys and values in each layer.

Shapes: B rows, H heads, M tokens, C room for tokens, d width of a head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ROOM = 32
"""Memory is taken for so many tokens more than there are, so that reading on copies nothing most of the time."""


@dataclass(slots=True)
class Room:
    """Memory `[B, H, C, d]` for keys and for values, of which the first `filled` of C tokens are written."""

    key: Tensor
    value: Tensor
    filled: int = 0

    @classmethod
    def like(cls, key: Tensor, value: Tensor, rows: int, tokens: int) -> Room:
        """Room for so many rows and tokens of such keys and values, not yet written."""
        first, second = (each.new_empty(rows, each.shape[1], tokens, each.shape[3]) for each in (key, value))
        return cls(first, second)

    def holds(self, key: Tensor, value: Tensor, rows: int, tokens: int) -> bool:
        """Whether it could be used in the place of `like`."""
        return all(
            has.dtype == wants.dtype
            and has.device == wants.device
            and has.shape[1::2] == wants.shape[1::2]
            and len(has) >= rows
            and has.shape[2] >= tokens
            for has, wants in ((self.key, key), (self.value, value))
        )


@dataclass(slots=True)
class KeyValues:
    """The keys and values of the tokens that a layer has already read, `[B, H, M, d]` each; a decoder's memory.

    They may lie in a room with space behind them, which is written by who reads on first.
    """

    key: Tensor
    value: Tensor
    room: Room | None = None

    @classmethod
    def for_rows(cls, like: KeyValues, rows: int, tokens: int, left: Room | None = None) -> KeyValues:
        """Memory for so many rows of so many tokens each, which are to be `put` there.

        left: a room that is used no more, and is taken if it is large enough: pages new from the system cost time.
        """
        size = rows, tokens + ROOM
        if left is None or not left.holds(like.key, like.value, *size):
            left = Room.like(like.key, like.value, *size)
        left.filled = tokens
        return cls._in(left, rows)

    def put(self, rows: Tensor, read: KeyValues) -> None:
        """Write what some rows `[K]` have read into their places; it may be shorter than the others."""
        length = read.key.shape[2]
        for to, what in ((self.key, read.key), (self.value, read.value)):
            to[:, :, :length].index_copy_(0, rows, what)
            if length < to.shape[2]:  # no one sees what is behind a short row, but 0 times infinity is no 0
                to[rows, :, length:] = 0

    def extend(self, key: Tensor, value: Tensor) -> KeyValues:
        """With further tokens behind."""
        if key.requires_grad:  # a backward pass needs what was read to stay as it was
            return KeyValues(torch.cat([self.key, key], 2), torch.cat([self.value, value], 2))
        rows, before = len(self.key), self.key.shape[2]
        after = before + key.shape[2]
        room = self.room
        if room is None or room.filled != before or room.key.shape[2] < after:
            room = Room.like(self.key, self.value, rows, after + ROOM)
            room.key[:, :, :before], room.value[:, :, :before] = self.key, self.value
        room.key[:rows, :, before:after], room.value[:rows, :, before:after] = key, value
        room.filled = after
        return self._in(room, rows)

    def select(self, rows: Tensor) -> KeyValues:
        """Some of the rows, in a new order (for beams)."""
        return KeyValues(self.key[rows], self.value[rows])

    def keep(self, rows: Tensor) -> KeyValues:
        """The first K rows, into the places of some of which others have moved: in place, so that little is copied.

        rows: `[K]`, which row stands in each place from now on. What has moved must come from behind them.
        """
        count = len(rows)
        moved = (rows != torch.arange(count, device=rows.device)).nonzero()[:, 0]
        self.key[moved], self.value[moved] = self.key[rows[moved]], self.value[rows[moved]]
        return KeyValues(self.key[:count], self.value[:count], self.room)

    @classmethod
    def _in(cls, room: Room, rows: int) -> KeyValues:
        return cls(room.key[:rows, :, : room.filled], room.value[:rows, :, : room.filled], room)
