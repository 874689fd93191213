"""Fill in the hidden tokens of a text (Devlin et al. 2019, BERT), with its picture where the head reads `fused`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field

from tuwen.core.batch import Row
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Picture, Sample
from tuwen.models.predictor import Predictor
from tuwen.prep.batches import Encoded
from tuwen.report.examples import SplitExamples
from tuwen.tasks import Task, TaskContext

STREAM = "hidden"
TOGETHER = 128
"""Texts computed at once."""


class Config(PartConfig):
    """head: the model's head over the vocabulary. share: of a text's tokens that are hidden when a model is judged."""

    head: str = "mask"
    share: float = Field(default=0.15, gt=0, le=1)


class _Hidden(NamedTuple):
    """A text, which of its places are hidden, and the picture that helps to guess."""

    ids: list[int]
    places: list[int]
    picture: Picture | None


class MaskedLMTask(Task):
    """All texts of a sample, each by itself. Training hides tokens by the objective of the same name."""

    needs = "a text"
    needs_picture = False

    def __init__(self, config: Config, context: TaskContext) -> None:
        self.config = config
        self.tokenizer = context.tokenizer

    def finds(self, sample: Sample) -> bool:
        return bool(sample.captions)

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        return [Row(self.tokenizer.read(caption.text)) for caption in sample.captions]

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        fused = predictor.model.reads(self.config.head) == "fused"
        judged = [sample for sample in samples if sample.image is not None or not fused]
        rng = np.random.default_rng(0)
        texts = [
            _Hidden(ids, self._choose(ids, rng), sample.image if fused else None)
            for sample in judged
            for ids in self._ids(sample)
        ]
        right, nats = 0, 0.0
        for start in range(0, len(texts), TOGETHER):
            losses, correct = self._judge(predictor, texts[start : start + TOGETHER])
            nats, right = nats + losses, right + correct
        truths = [text.ids[place] for text in texts for place in text.places]
        count = len(truths)
        if not count:
            return {}
        common = Counter(ids[place] for sample in training for ids in self._ids(sample) for place in self._words(ids))
        figures = {
            "masked_accuracy": right / count,
            "masked_perplexity": math.exp(nats / count),
            "count": count,
        }
        if not common:
            return figures
        return figures | {"masked_accuracy_majority_floor": truths.count(common.most_common(1)[0][0]) / count}

    def _ids(self, sample: Sample) -> list[list[int]]:
        return [self.tokenizer.read(caption.text) for caption in sample.captions]

    def _choose(self, ids: list[int], rng: np.random.Generator) -> list[int]:
        """Which tokens of a text are hidden."""
        there = self._words(ids)
        wanted = min(len(there), max(1, round(len(there) * self.config.share)))
        return sorted(there[place] for place in rng.permutation(len(there))[:wanted])

    def _words(self, ids: Sequence[int]) -> list[int]:
        """The places of a text that may be hidden: all but those of the tokenizer's marks, as in training."""
        return [place for place, token in enumerate(ids) if token not in self.tokenizer.marks.special]

    def _judge(self, predictor: Predictor, texts: Sequence[_Hidden]) -> tuple[float, int]:
        """The nats of the hidden tokens of some texts, and how many are guessed."""
        pixels = [None if text.picture is None else predictor.prepare(text.picture) for text in texts]
        samples = [Encoded("", seen, {STREAM: [Row(text.ids)]}) for seen, text in zip(pixels, texts, strict=True)]
        places = torch.tensor([(row, place) for row, text in enumerate(texts) for place in text.places]).reshape(-1, 2)
        with predictor.inference():
            forward = predictor.forward(samples)
            ids = forward.stream(STREAM).ids
            row, column = places.to(ids.device).unbind(1)
            truths = ids[row, column]
            masked = ids.index_put((row, column), ids.new_tensor(self.tokenizer.mask))
            tokens = forward.guessed_from(self.config.head, STREAM, masked).tokens
            logits = forward.model.head(self.config.head)(tokens[row, column]).float()
            return float(F.cross_entropy(logits, truths, reduction="sum")), int((logits.argmax(-1) == truths).sum())


def build(config: Config, context: TaskContext) -> MaskedLMTask:
    return MaskedLMTask(config, context)
