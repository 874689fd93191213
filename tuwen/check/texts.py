"""What is to be said of a split's texts: languages, lengths in tokens, repetitions, questions, classes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tuwen.check.pictures import Fault
from tuwen.core.errors import SampleError
from tuwen.core.sample import Sample
from tuwen.prep.tokens import Tokenizer
from tuwen.recipe.sources import Outcome

Said = tuple[str, str, str]
"""A sample's key, a text of it, and its language."""

COMMONEST = 10
"""Answers, classes and repeated texts that are listed."""


@dataclass(frozen=True, slots=True)
class Language:
    """The texts of one language. tokens_per_character: how densely the tokenizer writes it; longest: in tokens."""

    texts: int
    characters: int
    tokens_per_character: float
    longest: int


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one split.

    looked_at: samples. unusable: samples that cannot be read, or of which nothing is said.
    captions, questions: how many. languages: of captions, questions and answers.
    over_long: texts that are cut, by the sample that has them. unknown: texts that the tokenizer does not give back.
    repeated: the commonest captions that several pictures share, and how many do; sharing: pictures that share one.
    answers, kinds, labels: how often each occurs. unlabelled: samples without a label.
    """

    looked_at: int
    unusable: tuple[Fault, ...]
    captions: int
    questions: int
    languages: dict[str, Language]
    over_long: tuple[Fault, ...]
    unknown: tuple[Fault, ...]
    repeated: dict[str, int]
    sharing: int
    answers: dict[str, int]
    kinds: dict[str, int]
    labels: dict[str, int]
    unlabelled: int


def describe(outcomes: Iterable[Outcome], tokenizer: Tokenizer | None) -> Texts:
    """Read all that is said of the samples; without a tokenizer, nothing is said of tokens."""
    samples: list[Sample] = []
    unusable: list[Fault] = []
    for outcome in outcomes:
        if isinstance(outcome, SampleError):
            unusable.append(Fault(outcome.key, outcome.reason))
        else:
            samples.append(outcome)
    owners = Counter(text for sample in samples for text in {caption.text for caption in sample.captions})
    questions = [question for sample in samples for question in sample.questions]
    texts = [(sample.key, text, language) for sample in samples for text, language in _texts(sample)]
    cut, unknown = (_cut(texts, tokenizer), _unknown(texts, tokenizer)) if tokenizer else ([], [])
    return Texts(
        looked_at=len(samples) + len(unusable),
        unusable=tuple(unusable),
        captions=sum(len(sample.captions) for sample in samples),
        questions=len(questions),
        languages=_languages(texts, tokenizer),
        over_long=tuple(cut),
        unknown=tuple(unknown),
        repeated={text: count for text, count in owners.most_common(COMMONEST) if count > 1},
        sharing=sum(any(owners[caption.text] > 1 for caption in sample.captions) for sample in samples),
        answers=dict(Counter(question.answer for question in questions).most_common()),
        kinds=dict(Counter(question.kind for question in questions).most_common()),
        labels=dict(Counter(sample.label for sample in samples if sample.label is not None).most_common()),
        unlabelled=sum(sample.label is None for sample in samples),
    )


def _languages(texts: Iterable[Said], tokenizer: Tokenizer | None) -> dict[str, Language]:
    found: dict[str, list[str]] = defaultdict(list)
    for _, text, language in texts:
        found[language].append(text)
    return {
        language: _language(found[language], tokenizer)
        for language in sorted(found, key=lambda name: -len(found[name]))
    }


def _language(texts: Sequence[str], tokenizer: Tokenizer | None) -> Language:
    lengths = [len(tokenizer.encode(text)) for text in texts] if tokenizer else [0]
    characters = sum(map(len, texts))
    return Language(len(texts), characters, round(sum(lengths) / max(1, characters), 3), max(lengths))


def _cut(texts: Iterable[Said], tokenizer: Tokenizer) -> list[Fault]:
    """Texts that are longer than what is read of them."""
    room = tokenizer.room
    counted = ((key, text, len(tokenizer.encode(text))) for key, text, _ in texts)
    return [
        Fault(key, f"{count} tokens, of which {room} are read: {start(text)}")
        for key, text, count in counted
        if count > room
    ]


def _unknown(texts: Iterable[Said], tokenizer: Tokenizer) -> list[Fault]:
    """Texts that the tokenizer does not give back as they are."""
    read = ((key, text, tokenizer.decode(tokenizer.encode(text))) for key, text, _ in texts)
    return [
        Fault(key, f"{start(text)} is read as {start(back)}")
        for key, text, back in read
        if back != tokenizer.normalise(text)
    ]


def _texts(sample: Sample) -> list[tuple[str, str]]:
    captions = [(caption.text, caption.language) for caption in sample.captions]
    return captions + [
        (text, question.language) for question in sample.questions for text in (question.text, question.answer)
    ]


def start(text: str, letters: int = 60) -> str:
    """The beginning of a long text, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= letters else text[: letters - 1] + "…"
