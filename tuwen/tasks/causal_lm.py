"""Read on: a language model guesses each next token of a text, about a picture or about none.

Figures: nats a character, which do not depend on the tokenizer, and the perplexity of a token.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tuwen.core.batch import Row
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Caption, Sample
from tuwen.models.predictor import Predictor
from tuwen.report.examples import SplitExamples
from tuwen.tasks import WORDS, Task, TaskContext


class Config(PartConfig):
    """Nothing to set: a text is as long as the tokenizer's `max_length` lets it be."""


class CausalLMTask(Task):
    """All texts of a sample, each by itself."""

    stream = WORDS
    needs = "a text"
    needs_picture = False

    def __init__(self, config: Config, context: TaskContext) -> None:
        self.tokenizer = context.tokenizer

    def finds(self, sample: Sample) -> bool:
        return bool(sample.captions)

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        return [self._row(caption) for caption in sample.captions]

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        if not any(sample.captions for sample in samples):
            return {}
        found = [(caption, sample) for sample in samples for caption in sample.captions]
        rows = [self._row(caption) for caption, _ in found]
        nats = 0.0
        for losses in predictor.nats(rows, [sample.image for _, sample in found]):
            nats += float(losses.double().sum())
        texts = [caption.text for caption, _ in found]
        characters = sum(self._characters(row, text) for row, text in zip(rows, texts, strict=True))
        tokens = sum(sum(row.loss_mask or ()) for row in rows)
        return {
            "nats_per_character": nats / characters,
            "perplexity": math.exp(nats / tokens),
            **({"nats_per_character_unigram_floor": _unigram(training, samples)} if training else {}),
            "count": len(rows),
        }

    def _row(self, caption: Caption) -> Row:
        """`<bos> text <eos>`; no end of a text that was cut, or is a piece of a longer one.

        The marks are those of a language model, whatever the tokenizer puts around a text by itself: many put nothing
        before or behind it, and the first word and the end are to be learned all the same.
        """
        before, behind = self.tokenizer.marks.before or (self.tokenizer.bos,), (self.tokenizer.eos,)
        text = self.tokenizer.encode(caption.text)
        room = self.tokenizer.max_length - len(before) - len(behind)
        learned = [*text[:room], *(behind if caption.whole and len(text) <= room else ())]
        return Row([*before, *learned], [False] * len(before) + [True] * len(learned))

    def _characters(self, row: Row, text: str) -> int:
        """How many characters of the text a row has; without the space that some tokenizers put before it."""
        spelled = self.tokenizer.spell(row.ids)
        return len(spelled if text.startswith(" ") else spelled.removeprefix(" "))


def _unigram(training: Sequence[Sample], samples: Sequence[Sample]) -> float:
    """Nats a character for who knows only how often each character comes (one more of each is added)."""
    seen = Counter(character for sample in training for caption in sample.captions for character in caption.text)
    text = Counter(character for sample in samples for caption in sample.captions for character in caption.text)
    total = sum(seen.values()) + len(seen.keys() | text.keys())
    return sum(count * -math.log((seen[character] + 1) / total) for character, count in text.items()) / text.total()


def build(config: Config, context: TaskContext) -> CausalLMTask:
    return CausalLMTask(config, context)
