"""Does this text belong to this picture? Asked of a head that scores pairs, as a pair scorer does.

A head with one output gives the score; of one with two, the second stands for "they match" (as in ALBEF's image-text
matching: Li et al. 2021, arXiv:2107.07651, section 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np
from pydantic import Field

from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Picture, Sample
from tuwen.models.predictor import Predictor
from tuwen.report.examples import SplitExamples, Tally
from tuwen.tasks import TaskContext
from tuwen.tasks._captions import CaptionReader
from tuwen.tasks.caption import by_languages, wanted_in


class Config(PartConfig):
    """head: of the model, that scores pairs. texts: of a picture that are learned at a time.

    candidates: texts that each picture is asked about in evaluation, its own and others' that are not its own.
    pictures: at most, in each language.
    """

    head: str = "pair"
    texts: int = Field(default=1, ge=1)
    candidates: int = Field(default=10, ge=2)
    pictures: int = Field(default=300, ge=1)


class MatchTask(CaptionReader):
    """Any caption of a sample is learned; in evaluation its own has to score higher than others'."""

    def __init__(self, config: Config, context: TaskContext) -> None:
        self.config = config
        self.tokenizer = context.tokenizer

    @property
    def texts(self) -> int:
        return self.config.texts

    def scores(self, predictor: Predictor, pictures: Sequence[Picture], texts: Sequence[str]) -> np.ndarray:
        """How well each text belongs to its picture, `[N]`; higher is better."""
        if not pictures:
            return np.zeros(0)
        logits = predictor.logits(self.config.head, pictures, texts)
        return (logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0)).numpy()

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        found: dict[str, list[float]] = {"recall_at_1": [], "better_than_another": [], "recall_at_1_chance_floor": []}
        candidates = 0
        for language, group in by_languages(samples).items():
            shown = [sample for sample in group if sample.image is not None][: self.config.pictures]
            asked = _questions(shown, language, self.config.candidates)
            if not asked:
                continue
            candidates = max(candidates, max(len(texts) for _, texts in asked))
            pictures = [sample.image for sample, texts in asked for _ in texts if sample.image is not None]
            scored = self.scores(predictor, pictures, [text for _, texts in asked for text in texts])
            rows = np.split(scored, np.cumsum([len(texts) for _, texts in asked])[:-1])
            first = [float((row[0] > row[1:]).all()) for row in rows]
            found["recall_at_1"] += first
            found["recall_at_1_chance_floor"] += [1 / len(row) for row in rows]
            found["better_than_another"] += [float((row[0] > row[1:]).mean()) for row in rows]
            page.tallies.setdefault("match_by_language", {})[language] = Tally(int(sum(first)), len(first))
        if not found["recall_at_1"]:
            return {}
        figures = {name: fmean(values) for name, values in found.items()}
        figures["better_than_another_chance_floor"] = 0.5
        return {**figures, "candidates": candidates, "count": len(found["recall_at_1"])}


def _questions(samples: Sequence[Sample], language: str, candidates: int) -> list[tuple[Sample, list[str]]]:
    """For each sample one of its captions, then captions of the samples after it that none of its own equals."""
    captions = [[c.text for c in wanted_in(sample, language)] for sample in samples]
    asked = []
    for number, (sample, own) in enumerate(zip(samples, captions, strict=True)):
        others = [text for texts in [*captions[number + 1 :], *captions[:number]] for text in texts[:1]]
        wrong = list(dict.fromkeys(text for text in others if text not in own))[: candidates - 1]
        if wrong:
            asked.append((sample, [own[0], *wrong]))
    return asked


def build(config: Config, context: TaskContext) -> MatchTask:
    return MatchTask(config, context)
