"""Describe the picture, in the language that is asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
from pydantic import Field

from tuwen.core.batch import Row
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Caption, Picture, Sample
from tuwen.metrics.text import caption_scores, cider, exact_match
from tuwen.models.predictor import Predictor
from tuwen.report.examples import CaptionExample, SplitExamples, Tally
from tuwen.report.examples import choose as choose_examples
from tuwen.tasks import WORDS, Task, TaskContext, blank, choose

PROMPTS = {"en": "caption:", "zh": "描述："}
"""How a caption is asked for in a language; others are asked for in English."""
LOOKED_AT = 200
"""Among so many pictures of each language are those that the page shows; the languages take turns."""


class Config(PartConfig):
    """texts: captions of a picture that are learned at a time. max_tokens: of a caption that is written."""

    texts: int = Field(default=1, ge=1)
    max_tokens: int = Field(default=64, ge=1)


class CaptionTask(Task):
    """Canonical captions where a sample has them, else all."""

    stream = WORDS
    needs = "a caption"

    def __init__(self, config: Config, context: TaskContext) -> None:
        self.config = config
        self.tokenizer = context.tokenizer

    def finds(self, sample: Sample) -> bool:
        return bool(sample.captions)

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        captions = wanted(sample)
        return [self._row(captions[number]) for number in choose(captions, self.config.texts, rng)]

    def _row(self, caption: Caption) -> Row:
        prompt = self.tokenizer.prompt(prompt_of(caption.language))
        answer = self.tokenizer.answer(caption.text)
        return Row(prompt + answer, [False] * len(prompt) + [True] * len(answer))

    def _sayable(self, caption: Caption) -> str:
        """The caption as the model can say it: in the lower case and composed characters of its tokenizer."""
        return self.tokenizer.normalise(caption.text)

    def predict(self, predictor: Predictor, pictures: Sequence[Picture], language: str = "en") -> list[str]:
        """A caption of each picture."""
        return predictor.write([prompt_of(language)] * len(pictures), pictures, self.config.max_tokens)

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        predictions: list[str] = []
        references: list[list[str]] = []
        blind: list[str] = []
        shown: list[list[CaptionExample]] = []
        by_language: dict[str, Tally] = {}
        ciders: list[tuple[float, int]] = []
        for language, group in by_languages(samples).items():
            pictures = [sample.image for sample in group if sample.image is not None]
            said = self.predict(predictor, pictures, language)
            truths = [[self._sayable(caption) for caption in wanted_in(sample, language)] for sample in group]
            right = [text in truth for text, truth in zip(said, truths, strict=True)]
            by_language[language] = Tally(sum(right), len(right))
            blind += self.predict(predictor, blank(group[:1], predictor), language) * len(group)
            shown.append(
                [
                    CaptionExample(predictor.prepare(picture), text, truth[0], ok)
                    for picture, text, truth, ok in zip(pictures[:LOOKED_AT], said, truths, right, strict=False)
                ]
            )
            predictions += said
            references += truths
            ciders.append((cider(said, truths), len(said)))
        if not predictions:
            return {}
        page.captions += choose_examples(one for turn in zip_longest(*shown) for one in turn if one is not None)
        page.tallies["caption_by_language"] = by_language
        floor = exact_match(blind, references)
        return caption_scores(predictions, references) | {"cider": _cider(ciders), "blind_floor": floor}


def _cider(languages: Sequence[tuple[float, int]]) -> float:
    """Over all items, of each language's score and its number of items.

    Each language is a corpus of its own: in a common one, words that all its texts have would look rare.
    """
    return sum(score * items for score, items in languages) / sum(items for _, items in languages)


def prompt_of(language: str) -> str:
    """How a caption in a language is asked for."""
    return PROMPTS.get(language, PROMPTS["en"])


def wanted(sample: Sample) -> list[Caption]:
    """The captions that a captioner is to give: the canonical ones where there are some, else all."""
    canonical = [caption for caption in sample.captions if caption.canonical]
    return canonical or list(sample.captions)


def wanted_in(sample: Sample, language: str) -> list[Caption]:
    """Those of a language."""
    return [caption for caption in wanted(sample) if caption.language == language]


def by_languages(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Samples with a picture, by the languages of their wanted captions."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.image is not None:
            for language in dict.fromkeys(caption.language for caption in wanted(sample)):
                groups[language].append(sample)
    return dict(groups)


def build(config: Config, context: TaskContext) -> CaptionTask:
    return CaptionTask(config, context)
