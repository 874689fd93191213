"""What a language model says after prompts: greedily, by nucleus sampling, or by beam search; and how likely it is.

Prompts are embeddings, so that pictures may stand anywhere among the words. What a row says does not depend on the
rows that are computed with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from tuwen.core.errors import DataError
from tuwen.core.rooms import PartConfig
from tuwen.language import LanguageModel
from tuwen.models.beam import Beams
from tuwen.models.reading import Desk, Reader

Ended = Callable[[Sequence[int]], bool]
"""Whether the tokens that a row has said so far are all that is wanted (they hold a stop string)."""


class Decoding(PartConfig):
    """How tokens are chosen: the likeliest each time, or as these settings say.

    max_new_tokens: at most so many are said.
    beams: hypotheses that are followed at a time (beam search); 1 follows the likeliest token alone.
    length_penalty: hypotheses are compared by log-probability over length to this power; 0 prefers short ones.
    top_p: draw from the likeliest tokens that have this probability together (Holtzman et al. 2020, arXiv:1904.09751,
        section 3.1); None does not draw, and beams never do.
    temperature: logits are divided by it before drawing.
    seed: of what is drawn, together with the number of the row that it is drawn for.
    """

    max_new_tokens: int = Field(default=64, ge=0)
    beams: int = Field(default=1, ge=1)
    length_penalty: float = 1.0
    top_p: float | None = Field(default=None, gt=0, le=1)
    temperature: float = Field(default=1.0, gt=0)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _draw_or_search(self) -> Self:
        if self.beams > 1 and self.top_p is not None:
            raise ValueError("beams search and top_p draws: leave top_p out, or use beams=1")
        return self


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a row said. log_probabilities: of each of its ids; whole: whether it came to an end by itself."""

    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    whole: bool

    @property
    def log_probability(self) -> float:
        """Of all its ids together."""
        return sum(self.log_probabilities)


@dataclass(frozen=True, slots=True)
class Said:
    """One token of one row, as soon as it is chosen, or None for the end token. whole: the row has come to its end."""

    row: int
    token: int | None
    log_probability: float
    whole: bool


def never(said: Sequence[int]) -> bool:
    """Nothing ends a row but its end token."""
    return False


def generate(
    language: LanguageModel, prompts: Sequence[Tensor], eos: int, how: Decoding, ended: Ended = never
) -> list[Continuation]:
    """What the language model says after each prompt, in one batch; rows that are done leave it.

    A row ends at `eos` (which is not part of what it says), where `ended` says so, after `max_new_tokens`, or where the
    language model cannot read on (its `max_length`).

    Args:
        language: any language model.
        prompts: B rows of embeddings, `[L, D]` each.
        eos: the id that ends a row.
        how: how tokens are chosen.
        ended: told all that a row has said, whether it is to end.
    """
    return next(generate_batches(language, [prompts], eos, how, ended))


@torch.inference_mode()
def generate_batches(
    language: LanguageModel, batches: Iterable[Sequence[Tensor]], eos: int, how: Decoding, ended: Ended = never
) -> Iterator[list[Continuation]]:
    """As `generate`, for one batch after the other; a batch is asked for when its turn comes.

    Together they take less time than one by one: weights are laid out once, and memory is used again. The model's
    weights must stay as they are meanwhile.
    """
    desk, asked = Desk(language), 0
    for prompts in batches:
        if how.beams > 1:
            beams = Beams(desk, prompts, eos, how.beams, how.length_penalty, ended)
            yield [Continuation(*found) for found in beams.search(how.max_new_tokens)]
        else:
            texts: list[list[Said]] = [[] for _ in prompts]
            for step in _steps(desk, prompts, eos, how, ended, asked):
                for said in step:
                    texts[said.row].append(said)
            yield [_joined(text) for text in texts]
        asked += len(prompts)


def _joined(text: Sequence[Said]) -> Continuation:
    spoken = [said for said in text if said.token is not None]
    ids = tuple(said.token for said in spoken if said.token is not None)
    return Continuation(ids, tuple(said.log_probability for said in spoken), bool(text) and text[-1].whole)


def stream(
    language: LanguageModel, prompts: Sequence[Tensor], eos: int, how: Decoding, ended: Ended = never
) -> Iterator[list[Said]]:
    """As `generate` without beams, a step at a time: the next token of each row that is not done yet."""
    return _steps(Desk(language), prompts, eos, how, ended, 0)


def _steps(
    desk: Desk, prompts: Sequence[Tensor], eos: int, how: Decoding, ended: Ended, first: int
) -> Iterator[list[Said]]:
    """first: the number of the first row among all that are asked."""
    if not how.max_new_tokens:
        return
    with torch.inference_mode():
        reader = Reader(desk, prompts)
    choose = _Chooser(how, range(first, first + len(prompts)))
    active = list(range(len(prompts)))
    texts: list[list[int]] = [[] for _ in prompts]
    for number in range(how.max_new_tokens):
        with torch.inference_mode():
            scores = reader.log_probabilities()
            tokens = choose(scores, active)
            found = scores.gather(1, tokens[:, None])[:, 0].tolist()
        step = []
        for row, token, score in zip(active, tokens.tolist(), found, strict=True):
            if token != eos:
                texts[row].append(token)
            step.append(Said(row, None if token == eos else token, score, token == eos or ended(texts[row])))
        yield step
        going = torch.tensor([not said.whole for said in step], device=tokens.device) & ~reader.full
        if number + 1 == how.max_new_tokens or not going.any():
            return
        with torch.inference_mode():
            if not going.all():
                kept = reader.keep(going)
                tokens, active = tokens[kept], [active[place] for place in kept.tolist()]
            reader.read(tokens)


class _Chooser:
    """Chooses each row's next token; what is drawn for a row depends on the seed and the row's number alone.

    Args:
        how: tokens are chosen.
        numbers: of the rows, among all that are asked.
    """

    def __init__(self, how: Decoding, numbers: Sequence[int]) -> None:
        self.how = how
        seeds = [np.random.SeedSequence(how.seed, spawn_key=(number,)) for number in numbers]
        self.generators = [np.random.default_rng(seed) for seed in seeds]

    def __call__(self, scores: Tensor, rows: Sequence[int]) -> Tensor:
        """`[B, V]` → `[B]`. rows: their places in the batch that was begun with."""
        if self.how.top_p is None:
            return scores.argmax(-1)
        draws = torch.tensor([self.generators[row].random() for row in rows], device=scores.device)
        return nucleus(scores, self.how.top_p, draws, self.how.temperature)


def nucleus(logits: Tensor, top_p: float, draws: Tensor, temperature: float = 1.0) -> Tensor:
    """Draw from the fewest likeliest tokens whose probabilities add up to `top_p`.

    Args:
        logits: `[B, V]`.
        top_p: of all probability.
        draws: `[B]` in [0, 1); the token whose share of the nucleus a draw falls into is taken.
        temperature: above 0; the nearer to it, the more of all probability the likeliest token has.

    Returns:
        `[B]` tokens.
    """
    behind = logits.double() - logits.double().amax(-1, keepdim=True)  # so that the likeliest stays 0, however cold
    shares, order = (behind / temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    until = shares.cumsum(-1)
    inside = until - shares < top_p
    total = (shares * inside).sum(-1)
    place = (until <= (draws * total)[:, None]).sum(-1).minimum(inside.sum(-1) - 1)
    return order.gather(1, place[:, None])[:, 0]


@torch.inference_mode()
def score(
    language: LanguageModel, prompts: Sequence[Tensor], candidates: Sequence[Sequence[Sequence[int]]], first: int = 0
) -> list[list[float]]:
    """The log-probability of each of a prompt's candidates as what comes next; each prompt is read once.

    Args:
        language: any language model.
        prompts: B rows of embeddings, `[L, D]` each.
        candidates: for each prompt, texts of token ids, none empty.
        first: the number of the first prompt among all that are asked, for messages.

    Raises:
        DataError: a prompt has no candidate, a candidate has no token, or both together are longer than the language
            model can read.
    """
    reader = Reader(Desk(language), prompts)
    for number, (length, own) in enumerate(zip(reader.lengths.tolist(), candidates, strict=True), start=first + 1):
        _refuse_unreadable(language, number, length, own)
    counts = [len(texts) for texts in candidates]
    device = reader.last.device
    reader.select(torch.arange(len(prompts), device=device).repeat_interleave(torch.tensor(counts, device=device)))
    texts = [torch.tensor(text, device=device) for own in candidates for text in own]
    tokens = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
    lengths = torch.tensor([len(text) for text in texts], device=device)
    before = reader.last[:, None]
    rest = reader.read_all(tokens[:, :-1], lengths - 1) if tokens.shape[1] > 1 else before[:, :0]
    scores = language.logits(torch.cat([before, rest], 1)).float().log_softmax(-1).gather(2, tokens[:, :, None])[..., 0]
    there = torch.arange(tokens.shape[1], device=device) < lengths[:, None]
    found = iter(torch.where(there, scores, 0).sum(1).tolist())
    return [[next(found) for _ in range(count)] for count in counts]


def _refuse_unreadable(language: LanguageModel, number: int, length: int, candidates: Sequence[Sequence[int]]) -> None:
    """number: of the prompt, from 1; length: its tokens."""
    if not candidates:
        raise DataError(f"prompt {number} has no candidate: give it at least one.")
    room = language.max_length - length + 1  # the last token is only predicted
    for place, text in enumerate(candidates, start=1):
        if not text:
            raise DataError(f"candidate {place} of prompt {number} has no words: give it some, or leave it out.")
        if len(text) > room:
            raise DataError(
                f"candidate {place} of prompt {number} has {len(text)} tokens, and behind the {length} of the prompt "
                f"this language model has room for {room}: shorten one of the two, or use fewer pictures."
            )
