"""Which picture fits this text, and which text this picture."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

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
LOOKED_AT = 200
"""Texts and pictures of which some come onto the page."""


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
    by_text = _found(words, images, relevant_by_key(single, keys))
    by_picture = _found(images, words, relevant_by_key(keys, single))
    page.found_pictures += choose_examples(
        (
            FoundPictures(text, tuple(pictures[place] for place in best), correct, rank)
            for text, (best, correct, rank) in zip(texts, by_text, strict=False)
        ),
        3,
        3,
    )
    page.found_texts += choose_examples(
        (
            FoundTexts(picture, tuple(texts[place] for place in best), correct, rank)
            for picture, (best, correct, rank) in zip(pictures, by_picture, strict=False)
        ),
        3,
        3,
    )


def _found(
    queries: Tensor, gallery: Tensor, right: Sequence[Sequence[int]]
) -> list[tuple[list[int], tuple[bool, ...], int]]:
    """What the first queries find: the best places of the gallery, which of these are right, and the rank."""
    queries, right = queries[:LOOKED_AT], right[:LOOKED_AT]
    best = (queries @ gallery.T).argsort(1, descending=True)[:, :SHOWN].tolist()
    ranks = right_ranks(queries, gallery, right)
    return [
        (places, tuple(place in own for place in places), rank)
        for places, own, rank in zip(best, right, ranks, strict=True)
    ]


def build(config: Config, context: TaskContext) -> RetrieveTask:
    return RetrieveTask(config, context)
