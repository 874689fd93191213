"""A look at the training data before anything is built: its texts, answers and labels."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from tuwen.core.errors import SampleError
from tuwen.core.sample import Sample, Source, Stream
from tuwen.recipe.sources import spread

OF_EACH_MAKEUP = 2
"""So many samples stand for all that have the same things said about them."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found.

    samples: how many were looked at. answers, labels: sorted, so that their numbers do not depend on the order.
    examples: a few samples of each makeup (with and without captions, questions, a label, ...), the rare ones too.
    broken: samples that could not be read.
    """

    samples: int
    texts: tuple[str, ...]
    answers: tuple[str, ...]
    labels: tuple[str, ...]
    examples: tuple[Sample, ...]
    broken: tuple[SampleError, ...]


def survey(source: Source | Stream, texts: int) -> Survey:
    """Read samples until there are `texts` texts, or as many samples, or no more."""
    found: list[str] = []
    answers: set[str] = set()
    labels: set[str] = set()
    examples: dict[tuple[bool, ...], list[Sample]] = defaultdict(list)
    broken: list[SampleError] = []
    seen = 0
    for outcome in spread(source):
        if isinstance(outcome, SampleError):
            broken.append(outcome)
            continue
        seen += 1
        found += [caption.text for caption in outcome.captions]
        found += [text for question in outcome.questions for text in (question.text, question.answer)]
        answers |= {question.answer for question in outcome.questions}
        labels |= {outcome.label} if outcome.label is not None else set()
        alike = examples[_makeup(outcome)]
        if len(alike) < OF_EACH_MAKEUP:
            alike.append(outcome)
        if max(len(found), seen) >= texts:
            break
    kept = tuple(sample for alike in examples.values() for sample in alike)
    return Survey(seen, tuple(found), tuple(sorted(answers)), tuple(sorted(labels)), kept, tuple(broken))


def _makeup(sample: Sample) -> tuple[bool, ...]:
    has_label = sample.label is not None
    return sample.image is not None, bool(sample.captions), bool(sample.questions), has_label, bool(sample.boxes)
