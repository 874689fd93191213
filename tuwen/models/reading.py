"""A language model that reads prompts and goes on reading, with the keys and values of all that it has read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from tuwen.core.errors import DataError
from tuwen.language import LanguageModel, causal_mask
from tuwen.layers.key_values import KeyValues, Room
from tuwen.layers.packed import packed

AT_ONCE = {"cpu": 1024}
"""So many tokens of prompts are read at once: what they leave between layers then fits into a processor's caches."""

ENOUGH, FEW = 4, 256
"""A language model is packed before its fourth pass, since that costs about as much as four save; every FEW tokens of
prompts count as one."""


class Desk:
    """A language model that reads batches, one after the other, and what one leaves that the next can use.

    Attributes:
        language: any language model; packed once it has read much.
        rooms: for each layer, memory of the last batch.
    """

    def __init__(self, language: LanguageModel) -> None:
        self.language, self.rooms = language, list[Room | None]()
        self._passes = 0

    def count(self, passes: int) -> None:
        """So many passes are about to be read."""
        if self._passes < ENOUGH <= self._passes + passes:
            self.language = packed(self.language)
        self._passes += passes

    def make_room(self, layers: Sequence[KeyValues], rows: int, tokens: int) -> list[KeyValues]:
        """Memory for so many rows and tokens, for each of the layers that some rows of them were read by."""
        left, self.rooms = self.rooms or [None] * len(layers), []
        return [KeyValues.for_rows(layer, rows, tokens, room) for layer, room in zip(layers, left, strict=True)]


class Reader:
    """Rows of different lengths, each read to its own end.

    Args:
        desk: with the language model; no other rows may be read there before these are done.
        prompts: B rows of embeddings, `[L, D]` each with a length of its own: words, and pictures where they stand.

    Attributes:
        last: `[B, D]`, the hidden state at the end of each row, from which the next token follows.
        lengths: `[B]` int64, tokens of each row.

    Raises:
        DataError: a prompt is empty, or longer than the language model can read.
    """

    def __init__(self, desk: Desk, prompts: Sequence[Tensor]) -> None:
        self.desk, language = desk, desk.language
        device = next(language.parameters()).device
        self.lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
        longest = int(self.lengths.max())
        if int(self.lengths.min()) < 1 or longest > language.max_length:
            raise DataError(
                f"a prompt has {longest} tokens with its pictures, and this language model reads 1 to "
                f"{language.max_length}: shorten it, or use fewer pictures."
            )
        desk.count(int(self.lengths.sum()) // FEW)
        self.seen = torch.arange(longest, device=device) < self.lengths[:, None]
        self.past: list[KeyValues] = []
        lasts, parts = [], _parts([len(prompt) for prompt in prompts], device.type)
        for part in parts:
            last, past = self._begin([prompts[row].to(device) for row in part])
            lasts.append(last)
            self.past = self.past or desk.make_room(past, len(prompts), longest)
            for layer, read in zip(self.past, past, strict=True):
                layer.put(torch.tensor(part, device=device), read)
        self.last = torch.cat(lasts)[torch.tensor(list(chain(*parts)), device=device).argsort()]

    def _begin(self, prompts: Sequence[Tensor]) -> tuple[Tensor, list[KeyValues]]:
        """`[B, D]`, the hidden state at each prompt's end, and what was read."""
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=prompts[0].device)
        embeddings = torch.nn.utils.rnn.pad_sequence(list(prompts), batch_first=True)
        places = torch.arange(embeddings.shape[1], device=lengths.device).expand(len(prompts), -1)
        seen = places < lengths[:, None]
        return self.desk.language.read(embeddings, torch.where(seen, places, 0), causal_mask(seen.long()), lengths - 1)

    @property
    def full(self) -> Tensor:
        """`[B]` bool: the rows that have no room for a further token."""
        return self.lengths >= self.desk.language.max_length

    def log_probabilities(self) -> Tensor:
        """Of each token to come next, `[B, V]` float32."""
        return self.desk.language.logits(self.last).float().log_softmax(-1)

    def select(self, rows: Tensor) -> None:
        """Go on with some of the rows `[K]` only, in a new order; a row may be taken several times."""
        self.past = [layer.select(rows) for layer in self.past]
        self.seen, self.lengths, self.last = self.seen[rows], self.lengths[rows], self.last[rows]

    def keep(self, going: Tensor) -> Tensor:
        """Go on with those rows alone that are True in `going` `[B]`; returns which row stands in each place now."""
        kept = going.nonzero()[:, 0]
        rows = torch.arange(len(kept), device=kept.device)
        rows[~going[: len(kept)]] = kept[kept >= len(kept)]
        self.past = [layer.keep(rows) for layer in self.past]
        self.seen, self.lengths, self.last = self.seen[rows], self.lengths[rows], self.last[rows]
        return rows

    def read(self, tokens: Tensor) -> None:
        """Read one more token in each row, `[B]`; none may be full."""
        self.last = self.read_all(tokens[:, None], torch.ones_like(tokens))[:, 0]

    def read_all(self, tokens: Tensor, counts: Tensor) -> Tensor:
        """Read several more tokens in each row: the first `counts` `[B]` of `tokens` `[B, T]`.

        Returns:
            The hidden state after each of them, `[B, T, D]`; `last` stays as it is.
        """
        self.desk.count(1)
        language = self.desk.language
        rows, length = tokens.shape
        offsets = torch.arange(length, device=tokens.device)
        there = offsets < counts[:, None]
        before = self.seen[:, None].expand(-1, length, -1)
        among = (offsets[:, None] >= offsets).expand(rows, -1, -1) & (there[:, None] | (offsets[:, None] == offsets))
        places = torch.where(there, self.lengths[:, None] + offsets, 0)
        mask = torch.cat([before, among], 2)
        hidden, self.past = language.step(language.embed(tokens), places, mask, self.past)
        self.desk.rooms = [layer.room for layer in self.past]
        self.seen, self.lengths = torch.cat([self.seen, there], 1), self.lengths + counts
        return hidden


def _parts(lengths: Sequence[int], device: str) -> list[list[int]]:
    """Rows to read at once, about equally long, the shortest first."""
    parts: list[list[int]] = [[]]
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if parts[-1] and (len(parts[-1]) + 1) * lengths[row] > AT_ONCE.get(device, float("inf")):
            parts.append([])
        parts[-1].append(row)
    return parts
