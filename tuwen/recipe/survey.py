"""A look at the training data before anything is built: its texts, answers and labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from tuwen.core.errors import SampleError
from tuwen.core.sample import Sample, Source, Stream
from tuwen.recipe.sources import spread

OF_EACH_MAKEUP = 2
"""So many samples stand for all that have the same things said about them."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found.

    samples: how many were looked at. whole: whether these are all.
    languages: of the captions. answers, labels, tags: sorted, so that their numbers do not depend on the order.
    counts: how often each of `answers`, `labels` and `tags` was found, by these names.
    examples: a few samples of each makeup (with and without captions, questions, a label, ...), the rare ones too.
    stands_for: how many samples each of the examples stands for.
    broken: samples that could not be read.
    """

    samples: int
    whole: bool
    texts: tuple[str, ...]
    languages: tuple[str, ...]
    answers: tuple[str, ...]
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    examples: tuple[Sample, ...]
    stands_for: tuple[float, ...]
    broken: tuple[SampleError, ...]


def survey(source: Source | Stream, texts: int) -> Survey:
    """Read samples until there are `texts` texts, or as many samples, or no more."""
    found: list[str] = []
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("answers", "labels", "tags")}
    examples: dict[tuple[bool, ...], list[Sample]] = defaultdict(list)
    makeups: Counter[tuple[bool, ...]] = Counter()
    broken: list[SampleError] = []
    languages: set[str] = set()
    seen, whole = 0, False
    for outcome in spread(source):
        if isinstance(outcome, SampleError):
            broken.append(outcome)
            continue
        seen += 1
        found += [caption.text for caption in outcome.captions]
        languages |= {caption.language for caption in outcome.captions}
        found += [text for question in outcome.questions for text in (question.text, question.answer)]
        counts["answers"].update(question.answer for question in outcome.questions)
        counts["labels"].update([] if outcome.label is None else [outcome.label])
        counts["tags"].update(outcome.tags or ())
        makeups[makeup := _makeup(outcome)] += 1
        alike = examples[makeup]
        if len(alike) < OF_EACH_MAKEUP:
            alike.append(outcome)
        if max(len(found), seen) >= texts:
            break
    else:
        whole = True
    kept = tuple(sample for alike in examples.values() for sample in alike)
    stands_for = tuple(makeups[makeup] / len(alike) for makeup, alike in examples.items() for _ in alike)
    words = {name: tuple(sorted(often)) for name, often in counts.items()}
    return Survey(
        samples=seen,
        whole=whole,
        texts=tuple(found),
        languages=tuple(sorted(languages)),
        counts=counts,
        examples=kept,
        stands_for=stands_for,
        broken=tuple(broken),
        **words,
    )


def _makeup(sample: Sample) -> tuple[bool, ...]:
    has_label = sample.label is not None
    has_tags = sample.tags is not None
    return (
        sample.image is not None,
        bool(sample.captions),
        bool(sample.questions),
        has_label,
        has_tags,
        bool(sample.boxes),
    )
