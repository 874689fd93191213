"""Which of some texts, alike but for a word, is true of the picture? (Shekhar et al. 2017, FOIL, arXiv:1705.01359)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

import numpy as np

from tuwen.core.batch import Row
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Choice, Sample
from tuwen.models.predictor import Predictor
from tuwen.report.examples import SplitExamples, Tally
from tuwen.tasks import Task, TaskContext, choose


class Config(PartConfig):
    """Nothing to set: a choice of each picture is learned at a time."""


class FoilsTask(Task):
    """In a stream the true text's row begins a choice, and its class is 0; the foils' rows follow it as 1, 2, ..."""

    needs = "a text with foils"

    def __init__(self, config: Config, context: TaskContext) -> None:
        self.tokenizer = context.tokenizer

    def finds(self, sample: Sample) -> bool:
        return any(choice.wrong for choice in sample.choices)

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        choices = [choice for choice in sample.choices if choice.wrong]
        texts = [text for number in choose(choices, 1, rng) for text in _texts(choices[number])]
        return [Row(self.tokenizer.read(text), target=number) for number, text in enumerate(texts)]

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        asked = [
            (sample.image, choice)
            for sample in samples
            for choice in sample.choices
            if sample.image is not None and choice.wrong
        ]
        if not asked:
            return {}
        images = predictor.embed_images([picture for picture, _ in asked])
        words = predictor.embed_texts([text for _, choice in asked for text in _texts(choice)])
        cuts = np.cumsum([len(_texts(choice)) for _, choice in asked])[:-1].tolist()
        right = []
        for image, texts in zip(images, words.tensor_split(cuts), strict=True):
            scores = texts @ image
            right.append(bool((scores[0] > scores[1:]).all()))
        count, hits = Counter(choice.language for _, choice in asked), Counter[str]()
        hits.update(choice.language for (_, choice), hit in zip(asked, right, strict=True) if hit)
        page.tallies["foils_by_language"] = {language: Tally(hits[language], count[language]) for language in count}
        chance = fmean(1 / len(_texts(choice)) for _, choice in asked)
        return {"accuracy": fmean(right), "floor": chance, "count": len(asked)}


def _texts(choice: Choice) -> tuple[str, ...]:
    return choice.right, *choice.wrong


def build(config: Config, context: TaskContext) -> FoilsTask:
    return FoilsTask(config, context)
