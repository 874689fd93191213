"""Prompts of words and pictures in any order, and what a model says after them.

writer = Writer(predictor)
prompt = [picture, "this is a dax. ", other, "this is a blicket. ", third, "question: what is this? answer:"]
writer.generate([prompt], Decoding(max_new_tokens=8))[0].text
writer.score([prompt], [["dax", "blicket"]])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tuwen.core.errors import RecipeError
from tuwen.core.sample import Picture
from tuwen.language import LanguageModel
from tuwen.models.generate import Decoding, Ended, generate_batches, never, score, stream

if TYPE_CHECKING:
    from tuwen.models.predictor import Predictor

Part = Picture | str
"""A picture or words. Words are a `str`, so a picture's path must be a `Path`."""

Prompt = Sequence[Part]


@dataclass(frozen=True, slots=True)
class Written:
    """What was said after a prompt. log_probability: of all its tokens together; tokens: how many; whole: it ended."""

    text: str
    log_probability: float
    tokens: int
    whole: bool


class Writer:
    """The language model of a predictor, with what it reads and says as words and pictures."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor, self.tokenizer = predictor, predictor.tokenizer
        self.language: LanguageModel = predictor.model.require("language")

    def generate(self, prompts: Sequence[Prompt], how: Decoding, stop: Sequence[str] = ()) -> list[Written]:
        """What the model says after each prompt; with `stop`, up to the first of these strings.

        They are sought in all that is said, white space included; that around a text is taken off in the end.

        Raises:
            DataError: a prompt is longer than the language model can read.
        """
        batches = (self._embed([prompts[number] for number in numbers]) for numbers in self._chunks(prompts))
        with self.predictor.inference():
            found = generate_batches(self.language, batches, self.tokenizer.eos, how, self._ended(stop))
            said = list(chain.from_iterable(found))
        texts = [_until(self.tokenizer.spell(one.ids), stop).strip() for one in said]
        return [
            Written(text, one.log_probability, len(one.ids), one.whole) for text, one in zip(texts, said, strict=True)
        ]

    def stream(self, prompt: Prompt, how: Decoding, stop: Sequence[str] = ()) -> Iterator[str]:
        """The same for one prompt, in pieces as they are chosen. What may become a stop string is held back till then.

        Raises:
            RecipeError: `how` asks for beams, whose best text is known only in the end.
        """
        if how.beams > 1:
            raise RecipeError("beam search knows its text only in the end: stream with beams=1.")
        with self.predictor.inference():
            rows = self._embed([prompt])
        steps = stream(self.language, rows, self.tokenizer.eos, how, self._ended(stop))
        ids: list[int] = []
        told = 0
        while True:
            with self.predictor.inference():
                step = next(steps, None)
            ids += [said.token for said in step or () if said.token is not None]
            spelled = _until(self.tokenizer.spell(ids), stop)
            safe = len(spelled) if step is None else len(spelled) - _held(spelled, stop)
            text = spelled[:safe].strip()
            if len(text) > told:
                yield text[told:]
                told = len(text)
            if step is None:
                return

    def score(self, prompts: Sequence[Prompt], candidates: Sequence[Sequence[str]]) -> list[list[float]]:
        """How likely each of a prompt's candidates is as what comes next, as a log-probability.

        Raises:
            DataError: a prompt has no candidate, a candidate has no token, or both together are longer than the
                language model can read.
        """
        texts = [[self.tokenizer.piece(text) for text in own] for own in candidates]
        found: list[list[float]] = []
        for numbers in self._chunks(prompts):
            with self.predictor.inference():
                rows = self._embed([prompts[number] for number in numbers])
                found += score(self.language, rows, [texts[number] for number in numbers], numbers.start)
        return found

    def length(self, prompt: Prompt) -> int:
        """How many tokens a prompt has, with those of its pictures and the one that it begins with."""
        pictures = sum(not isinstance(part, str) for part in prompt)
        words = sum(len(self.tokenizer.piece(part)) for part in prompt if isinstance(part, str))
        return 1 + words + (pictures * self.predictor.model.require("prefix").length if pictures else 0)

    def _chunks(self, prompts: Sequence[Prompt]) -> Iterator[range]:
        size = self.predictor.batch_size
        for start in range(0, len(prompts), size):
            yield range(start, min(start + size, len(prompts)))

    def _embed(self, prompts: Sequence[Prompt]) -> list[Tensor]:
        """Each prompt as `[L, D]`: `<bos>`, then its words and the prefixes of its pictures in their places."""
        pictures = [part for prompt in prompts for part in prompt if not isinstance(part, str)]
        prefixes = iter(self.predictor.prefixes(pictures) if pictures else ())
        rows = []
        for prompt in prompts:
            parts = [self._words([self.tokenizer.bos])]
            for part in prompt:
                words = self._words(self.tokenizer.piece(part)) if isinstance(part, str) else next(prefixes)
                parts.append(words.to(parts[0].dtype))
            rows.append(torch.cat(parts))
        return rows

    def _words(self, ids: Sequence[int]) -> Tensor:
        device = self.predictor.device
        return self.language.embed(torch.tensor(ids, dtype=torch.int64, device=device))

    def _ended(self, stop: Sequence[str]) -> Ended:
        if not stop:
            return never
        return lambda ids: any(word in self.tokenizer.spell(ids) for word in stop)


def _until(text: str, stop: Sequence[str]) -> str:
    """The text before the first stop string in it."""
    ends = [place for word in stop if (place := text.find(word)) >= 0]
    return text[: min(ends)] if ends else text


def _held(text: str, stop: Sequence[str]) -> int:
    """How many characters at the end may still change: the beginning of a stop string, or of a character."""
    broken = len(text) - len(text.rstrip("\ufffd"))
    begun = (size for word in stop for size in range(1, len(word)) if text.endswith(word[:size]))
    return max((broken, *begun))
