"""Which of these labels? By a trained head, or without training from texts that describe the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from tuwen.core.batch import Row
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Picture, Sample
from tuwen.metrics.classification import accuracy, classification_scores, confusion_matrix, majority_floor
from tuwen.models.predictor import Predictor
from tuwen.prep.batches import IGNORE
from tuwen.report.examples import ClassExample, Confusion, SplitExamples, Tally
from tuwen.report.examples import choose as choose_examples
from tuwen.tasks import Task, TaskContext, blank, check_own_texts, choose

TEMPLATES = {"en": "a picture of {}", "zh": "一张{}的图片"}
LARGEST_CONFUSION = 30
"""Classes of a confusion matrix that is still readable as a picture."""


class Config(PartConfig):
    """by: `texts` compares pictures with a text for each label (zero-shot), `head` asks the model's head.

    with_text: the head reads the picture's own text too.
    templates: a text for a label, by language: `{en: "a photo of a {}"}`; the label stands where {} is.
    """

    by: Literal["texts", "head"] = "texts"
    head: str = "label"
    with_text: bool = False
    templates: dict[str, str] = Field(default=TEMPLATES)

    @field_validator("templates")
    @classmethod
    def _each_has_a_place_for_the_label(cls, templates: dict[str, str]) -> dict[str, str]:
        for language, template in templates.items():
            if "{}" not in template:
                raise ValueError(f"{language}: write {{}} where the label shall stand in {template!r}")
        return templates


def describe(label: str, template: str) -> str:
    """A text for a label. Whatever else stands in the template is text, braces too."""
    return template.replace("{}", label)


class ClassifyTask(Task):
    """One label a picture."""

    needs = "a label"

    def __init__(self, config: Config, context: TaskContext) -> None:
        self.config = config
        self.tokenizer = context.tokenizer
        self.labels = context.labels
        self.number = {label: number for number, label in enumerate(context.labels)}
        self.class_texts = context.class_texts or {
            language: {label: describe(label, template) for label in context.labels}
            for language, template in config.templates.items()
        }

    def finds(self, sample: Sample) -> bool:
        return sample.label is not None

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        if self.config.by == "texts" or not self.config.with_text:
            return []
        texts = [sample.captions[number].text for number in choose(sample.captions, 1, rng)]
        return [Row(self.tokenizer.read(text), target=self.target(sample)) for text in texts]

    def target(self, sample: Sample) -> int | None:
        if self.config.by == "texts":
            return None
        return self.number.get(sample.label or "", IGNORE)

    def predict(
        self,
        predictor: Predictor,
        pictures: Sequence[Picture],
        class_texts: Mapping[str, str] | None = None,
        own_texts: Sequence[str] | None = None,
    ) -> list[str]:
        """The label of each picture.

        Args:
            predictor: the model.
            pictures: to be classified.
            class_texts: label → text, to choose among without training; None for what the task is made for.
            own_texts: what is said of each picture, for a head that reads that too.

        Raises:
            RecipeError: the head reads the pictures' own texts and there are none, or the other way round.
        """
        by_head = class_texts is None and self.config.by == "head"
        check_own_texts(own_texts, by_head and self.config.with_text, "classifies", "the label is chosen")
        if not pictures:
            return []
        if by_head:
            logits = predictor.logits(self.config.head, pictures, own_texts)
            return [self.labels[number] for number in logits.argmax(-1).tolist()]
        return choose_text(predictor, pictures, class_texts or next(iter(self.class_texts.values())))

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        labelled = [sample for sample in samples if sample.label is not None and sample.image is not None]
        if not labelled or not self.labels:
            return {}
        truths = [str(sample.label) for sample in labelled]
        pictures = [sample.image for sample in labelled if sample.image is not None]
        own_texts = self._own_texts(labelled)
        if self.config.by == "head":
            found = {"": self.predict(predictor, pictures, own_texts=own_texts)}
        else:
            found = {language: self.predict(predictor, pictures, texts) for language, texts in self.class_texts.items()}
        scores = [classification_scores(labels, truths) for labels in found.values()]
        for language, labels in found.items():
            right = sum(label == truth for label, truth in zip(labels, truths, strict=True))
            if language:
                page.tallies.setdefault("classify_by_language", {})[language] = Tally(right, len(truths))
            page.classes += choose_examples(
                ClassExample(predictor.prepare(picture), label, truth, label == truth)
                for picture, label, truth in zip(pictures[:300], labels, truths, strict=False)
            )
        classes = sorted(set(truths))
        if len(classes) <= LARGEST_CONFUSION:
            first = next(iter(found.values()))
            names = sorted(set(truths) | set(first))
            counts = confusion_matrix(first, truths, names)
            page.confusion = Confusion(tuple(names), tuple(tuple(row) for row in counts.tolist()))
        mean = {name: fmean(score[name] for score in scores) for name in scores[0]}
        floors = {"floor": max(majority_floor(truths), 1 / max(1, len(self.labels)))}
        if self.config.by == "texts":
            mean["zero_shot_accuracy"] = mean.pop("accuracy")
        elif own_texts is not None:  # what a label's text gives away is no merit of the picture
            blind = self.predict(predictor, blank(labelled, predictor), own_texts=own_texts)
            floors["blind_floor"] = accuracy(blind, truths)
            floors["floor"] = max(floors.values())
        return mean | floors | {"count": len(truths)}

    def _own_texts(self, samples: Sequence[Sample]) -> list[str] | None:
        """The first text of each, for a head that reads it."""
        if not self.config.with_text:
            return None
        return [sample.captions[0].text if sample.captions else "" for sample in samples]


def choose_text(predictor: Predictor, pictures: Sequence[Picture], texts: Mapping[str, str]) -> list[str]:
    """The label of the text (label → text) that is nearest to each picture."""
    if not pictures:
        return []
    names = list(texts)
    similarity = predictor.embed_images(pictures) @ predictor.embed_texts(list(texts.values())).T
    return [names[number] for number in similarity.argmax(-1).tolist()]


def build(config: Config, context: TaskContext) -> ClassifyTask:
    return ClassifyTask(config, context)
