"""Causal language models. Each part's `build(config, context)` returns a `LanguageModel`.

A language model reads embeddings and not ids, so that a picture's prefix can stand among the words.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tuwen.layers.attention import pick
from tuwen.layers.key_values import KeyValues

PREFIX = -1
"""The segment of a picture's prefix, which every text of the row may see."""


@dataclass(frozen=True, slots=True)
class LanguageContext:
    """What a language model is built for: the size of the vocabulary and the longest sequence, prefix included.

    pretrained: whether a model that names a checkpoint begins with its weights; not where it is given others.
    """

    vocab_size: int
    max_length: int
    pretrained: bool = True


class LanguageModel(nn.Module):
    """A decoder over embeddings. Shapes: B rows, L tokens, V vocabulary.

    width: the width D of its embeddings.
    max_length: the longest sequence that it can read, prefix included.
    vocab_size: how many tokens V it knows.
    """

    width: int
    max_length: int
    vocab_size: int

    @abstractmethod
    def embed(self, ids: Tensor) -> Tensor:
        """`[B, L]` → `[B, L, D]`."""

    def words(self) -> Tensor:
        """The embeddings of all tokens, `[V, D]`."""
        return self.embed(torch.arange(self.vocab_size, device=next(self.parameters()).device))

    @abstractmethod
    def forward(self, embeddings: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Hidden states `[B, L, D]`, before `logits`.

        Args:
            embeddings: `[B, L, D]`.
            positions: `[B, L]` int64, each token's place in its text.
            mask: `[B, L, L]` bool from `causal_mask`, True where a token may see another.
        """

    def hidden_at(self, embeddings: Tensor, positions: Tensor, mask: Tensor, asking: Tensor) -> Tensor:
        """As `forward`, for the hidden states of some tokens of each row alone, `[B, Q, D]`.

        Args:
            asking: `[B, Q]` int64, which tokens; the others need not go through all of the last layer.
        """
        return pick(self(embeddings, positions, mask), asking)

    @abstractmethod
    def step(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, past: list[KeyValues] | None
    ) -> tuple[Tensor, list[KeyValues]]:
        """As `forward`, for tokens after those in `past` (mask `[B, L, M]` over all M); returns the new past."""

    def read(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, asking: Tensor
    ) -> tuple[Tensor, list[KeyValues]]:
        """As `step` with nothing before, for the hidden state of one token of each row alone.

        Args:
            asking: `[B]` int64, which token; as in `hidden_at`.

        Returns:
            `[B, D]`, and the past with all tokens.
        """
        hidden, past = self.step(embeddings, positions, mask, None)
        return pick(hidden, asking.unsqueeze(1))[:, 0], past

    @abstractmethod
    def logits(self, hidden: Tensor) -> Tensor:
        """`[..., D]` → `[..., V]`."""


def causal_mask(segments: Tensor) -> Tensor:
    """Who may see whom, `[B, L]` → bool `[B, L, L]`: what came before, in the same segment or in the prefix."""
    same = segments.unsqueeze(2) == segments.unsqueeze(1)
    prefix = (segments == PREFIX).unsqueeze(1)
    length = segments.shape[1]
    before = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    return (same | prefix) & before


def positions_in(segments: Tensor) -> Tensor:
    """Each token's place, `[B, L]` → `[B, L]` int64: the prefix counts from 0, and every text goes on from its end.

    Padding stands at 0: a row that is padded far behind its last text would else leave the model's table of positions.
    """
    length = segments.shape[1]
    place = torch.arange(length, device=segments.device).expand_as(segments)
    starts = torch.ones_like(segments, dtype=torch.bool)
    starts[:, 1:] = segments[:, 1:] != segments[:, :-1]
    begin = torch.where(starts, place, 0).cummax(1).values
    prefix = (segments == PREFIX).sum(1, keepdim=True)
    return torch.where(segments == 0, 0, place - begin + torch.where(segments == PREFIX, 0, prefix))
