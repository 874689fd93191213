"""Fill in the hidden tokens of a text with a text tower, about a picture or about none (Devlin et al. 2019, BERT)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field

from tuwen.core.batch import Row
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Sample
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
        texts = list(chain.from_iterable(self._ids(sample) for sample in samples))
        rng = np.random.default_rng(0)
        hidden = [self._choose(ids, rng) for ids in texts]
        right, nats = 0, 0.0
        for start in range(0, len(texts), TOGETHER):
            part = slice(start, start + TOGETHER)
            losses, correct = self._judge(predictor, list(zip(texts[part], hidden[part], strict=True)))
            nats, right = nats + losses, right + correct
        count = sum(map(len, hidden))
        if not count:
            return {}
        common = Counter(chain.from_iterable(ids[1:-1] for sample in training for ids in self._ids(sample)))
        truths = [ids[place] for ids, places in zip(texts, hidden, strict=True) for place in places]
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
        """Which tokens of a text are hidden: places behind the first and before the last."""
        there = len(ids) - 2
        wanted = min(there, max(1, round(there * self.config.share)))
        return sorted((1 + rng.permutation(there)[:wanted]).tolist())

    def _judge(self, predictor: Predictor, rows: Sequence[tuple[list[int], list[int]]]) -> tuple[float, int]:
        """The nats of the hidden tokens of some texts, and how many are guessed."""
        samples = [Encoded("", None, {STREAM: [Row(ids)]}) for ids, _ in rows]
        places = torch.tensor([(row, place) for row, (_, chosen) in enumerate(rows) for place in chosen]).reshape(-1, 2)
        with predictor.inference():
            forward = predictor.forward(samples)
            ids = forward.stream(STREAM).ids
            row, column = places.to(ids.device).unbind(1)
            truths = ids[row, column]
            tokens = forward.rewritten(STREAM, ids.index_put((row, column), ids.new_tensor(self.tokenizer.mask))).tokens
            logits = forward.model.head(self.config.head)(tokens[row, column]).float()
            return float(F.cross_entropy(logits, truths, reduction="sum")), int((logits.argmax(-1) == truths).sum())


def build(config: Config, context: TaskContext) -> MaskedLMTask:
    return MaskedLMTask(config, context)
