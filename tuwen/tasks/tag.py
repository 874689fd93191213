"""Which of these classes fit the picture? Any number of them, each a yes or a no of the model's head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tuwen.core.batch import Row
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Picture, Sample
from tuwen.metrics.classification import multilabel_floors, multilabel_scores
from tuwen.models.predictor import Predictor
from tuwen.report.examples import ClassExample, SplitExamples, Tally
from tuwen.report.examples import choose as choose_examples
from tuwen.tasks import Task, TaskContext, check_own_texts, choose

SHOWN = 300


class Config(PartConfig):
    """head: the model's head over the tags of training. with_text: the head reads the picture's own text too."""

    head: str = "tags"
    with_text: bool = False


class TagTask(Task):
    """The tags of the training data; a tag that it never has cannot be given, and counts as missed."""

    needs = "tags"

    def __init__(self, config: Config, context: TaskContext) -> None:
        self.config = config
        self.tokenizer = context.tokenizer
        self.names = context.tags

    def finds(self, sample: Sample) -> bool:
        return sample.tags is not None

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        if not self.config.with_text or sample.tags is None:
            return []
        return [Row(self.tokenizer.read(sample.captions[number].text)) for number in choose(sample.captions, 1, rng)]

    def tags(self, sample: Sample) -> list[int] | None:
        return None if sample.tags is None else [int(name in sample.tags) for name in self.names]

    def predict(
        self, predictor: Predictor, pictures: Sequence[Picture], texts: Sequence[str] | None = None
    ) -> list[tuple[str, ...]]:
        """The tags of each picture, in the order of training's; with its text where the head reads one.

        Raises:
            RecipeError: it reads the pictures' texts and there are none, or the other way round.
        """
        check_own_texts(texts, self.config.with_text, "tags", "tags are given")
        logits = predictor.logits(self.config.head, pictures, texts)
        return [tuple(np.array(self.names)[row].tolist()) for row in (logits > 0).numpy()]

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        known = [sample for sample in samples if sample.tags is not None and sample.image is not None]
        if not known or not self.names:
            return {}
        pictures = [sample.image for sample in known if sample.image is not None]
        texts = [sample.captions[0].text if sample.captions else "" for sample in known]
        found = self.predict(predictor, pictures, texts if self.config.with_text else None)
        truths = [sample.tags or () for sample in known]
        names = sorted({*self.names, *(name for truth in truths for name in truth)})
        guessed, actual = _table(found, names), _table(truths, names)
        page.tallies["tag_by_name"] = {
            name: Tally(int(right), len(known), float(max(share, 1 - share)))
            for name, right, share in zip(names, (guessed == actual).sum(0), actual.mean(0), strict=True)
        }
        page.classes += choose_examples(
            ClassExample(predictor.prepare(picture), _said(guess), _said(truth), set(guess) == set(truth))
            for picture, guess, truth in zip(pictures[:SHOWN], found, truths, strict=False)
        )
        return {**multilabel_scores(guessed, actual), **multilabel_floors(actual), "count": len(known)}


def _table(tags: Sequence[Sequence[str]], names: Sequence[str]) -> NDArray[np.bool_]:
    """`[samples, names]`: which tags each has."""
    return np.array([[name in own for name in names] for own in tags])


def _said(tags: Sequence[str]) -> str:
    return ", ".join(sorted(tags)) or "–"


def build(config: Config, context: TaskContext) -> TagTask:
    return TagTask(config, context)
