"""Which picture fits this text, and which text this picture."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import torch
from pydantic import Field
from torch import Tensor

from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Sample
from tuwen.metrics.ranking import relevant_by_key, retrieval_scores, right_ranks
from tuwen.models.predictor import Predictor
from tuwen.report.examples import FoundPictures, FoundTexts, SplitExamples, Tally
from tuwen.report.examples import choose as choose_examples
from tuwen.tasks import TaskContext
from tuwen.tasks._captions import CaptionReader
from tuwen.tasks.caption import by_languages, wanted_in

SHOWN = 5


class Config(PartConfig):
    """texts: of a picture that are learned at a time. candidates: pictures, each with another text, to search among."""

    texts: int = Field(default=1, ge=1)
    candidates: int = Field(default=500, ge=2)


class RetrieveTask(CaptionReader):
    """Any text of a sample is learned; in evaluation the wanted captions are searched, language by language."""

    def __init__(self, config: Config, context: TaskContext) -> None:
        self.config = config
        self.tokenizer = context.tokenizer

    @property
    def texts(self) -> int:
        return self.config.texts

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        scores: list[dict[str, float]] = []
        for language, group in by_languages(samples).items():
            chosen, texts = _distinct(group, language, self.config.candidates)
            if len(texts) < 2:
                continue
            pictures = [sample.image for sample in chosen if sample.image is not None]
            images, words = predictor.embed_images(pictures), predictor.embed_texts(texts)
            keys = [{caption.text for caption in wanted_in(sample, language)} for sample in chosen]
            score = retrieval_scores(images, words, keys, texts)
            scores.append(score)
            right = round(score["text_to_image_r1"] * len(texts))
            page.tallies.setdefault("retrieve_by_language", {})[language] = Tally(right, len(texts))
            _show(page, predictor, chosen, texts, (words, images), keys)
        if not scores:
            return {}
        mean = {name: fmean(score[name] for score in scores) for name in scores[0]}
        return mean | {"candidates": min(int(score["candidates"]) for score in scores)}


def _distinct(samples: Sequence[Sample], language: str, limit: int) -> tuple[list[Sample], list[str]]:
    """Samples none of whose texts another chosen one has, and all their texts."""
    chosen: list[Sample] = []
    texts: dict[str, None] = {}
    for sample in samples:
        own = dict.fromkeys(caption.text for caption in wanted_in(sample, language))
        if len(chosen) < limit and not own.keys() & texts.keys():
            chosen.append(sample)
            texts |= own
    return chosen, list(texts)


def _show(
    page: SplitExamples,
    predictor: Predictor,
    samples: Sequence[Sample],
    texts: Sequence[str],
    embeddings: tuple[Tensor, Tensor],
    keys: Sequence[set[str]],
) -> None:
    """Put what some texts and some pictures find on the page, with the ranks that the figures count.

    embeddings: of the texts `[T, E]`, and of the pictures `[P, E]`.
    """
    pictures = [predictor.prepare(sample.image) for sample in samples if sample.image is not None]
    words, images = embeddings
    single = [(text,) for text in texts]
    text_ranks = right_ranks(words, images, relevant_by_key(single, keys))
    picture_ranks = right_ranks(images, words, relevant_by_key(keys, single))
    similarity = words @ images.T
    right = torch.tensor([[text in key for key in keys] for text in texts])
    by_text = similarity.argsort(1, descending=True)
    by_picture = similarity.T.argsort(1, descending=True)
    found_pictures = []
    for number in range(min(len(texts), 200)):
        order = by_text[number]
        best = order[:SHOWN].tolist()
        found_pictures.append(
            FoundPictures(
                texts[number],
                tuple(pictures[place] for place in best),
                tuple(right[number][order[:SHOWN]].tolist()),
                text_ranks[number],
            )
        )
    found_texts = []
    for number in range(min(len(pictures), 200)):
        order = by_picture[number]
        found_texts.append(
            FoundTexts(
                pictures[number],
                tuple(texts[place] for place in order[:SHOWN].tolist()),
                tuple(right[:, number][order[:SHOWN]].tolist()),
                picture_ranks[number],
            )
        )
    page.found_pictures += choose_examples(found_pictures, 3, 3)
    page.found_texts += choose_examples(found_texts, 3, 3)


def build(config: Config, context: TaskContext) -> RetrieveTask:
    return RetrieveTask(config, context)
