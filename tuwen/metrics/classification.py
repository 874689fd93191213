"""Right or wrong: accuracy, precision, recall, F1, the confusion matrix, and the floors that they must beat.

Classes are whatever can be compared (words, numbers). A figure comes with its floor and the size of its test set, since
99 % says nothing where 99 % of the answers are "no".
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

L = TypeVar("L", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One class: of those called so, how many are (precision); of those that are, how many were found (recall).

    A ratio whose denominator is 0 is 0, as is usual; `support` is how often the class truly occurs.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class KindAccuracy:
    """Accuracy over one kind of question. `floor` is what the commonest answer to that kind gets."""

    right: int
    count: int
    floor: float

    @property
    def accuracy(self) -> float:
        """`right / count`."""
        return self.right / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the accuracy."""
        return wilson_interval(self.right, self.count)


def accuracy(predicted: Sequence[L], actual: Sequence[L]) -> float:
    """The share of equal pairs.

    Raises:
        ValueError: the two differ in length, or are empty.
    """
    _check_pairs(predicted, actual)
    return fmean(guess == truth for guess, truth in zip(predicted, actual, strict=True))


def confusion_matrix(predicted: Sequence[L], actual: Sequence[L], labels: Sequence[L]) -> NDArray[np.int64]:
    """`[C, C]` counts: the row is what it is, the column what it was called, in the order of `labels`.

    Raises:
        ValueError: a class that is not among `labels`, or inputs of different length.
    """
    _check_pairs(predicted, actual)
    index = {label: position for position, label in enumerate(labels)}
    unknown = {label for label in (*predicted, *actual) if label not in index}
    if unknown:
        raise ValueError(f"classes that are not among the labels: {sorted(map(str, unknown))}")
    matrix = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(matrix, ([index[truth] for truth in actual], [index[guess] for guess in predicted]), 1)
    return matrix


def class_scores(predicted: Sequence[L], actual: Sequence[L]) -> dict[L, ClassScores]:
    """Precision, recall and F1 of every class that occurs or was predicted, commonest first."""
    _check_pairs(predicted, actual)
    called, found = Counter(predicted), Counter(actual)
    hits = Counter(truth for guess, truth in zip(predicted, actual, strict=True) if guess == truth)
    order = sorted(called.keys() | found.keys(), key=lambda label: (-found[label], str(label)))
    return {label: _scores(hits[label], called[label], found[label]) for label in order}


def matrix_scores(matrix: NDArray[np.int64]) -> list[ClassScores]:
    """Precision, recall and F1 of each class, from a confusion matrix `[C, C]` as `confusion_matrix` makes it."""
    hits, called, found = matrix.diagonal(), matrix.sum(0), matrix.sum(1)
    return [_scores(*map(int, counts)) for counts in zip(hits, called, found, strict=True)]


def macro_f1(predicted: Sequence[L], actual: Sequence[L]) -> float:
    """The mean F1 of the classes that occur or were predicted: rare classes count as much as common ones."""
    return fmean(scores.f1 for scores in class_scores(predicted, actual).values())


def micro_f1(predicted: Sequence[L | None], actual: Sequence[L]) -> float:
    """F1 over all decisions. It equals the accuracy, unless the model may decline to answer (`None`)."""
    _check_pairs(predicted, actual)
    hits = sum(guess == truth for guess, truth in zip(predicted, actual, strict=True))
    return _scores(hits, sum(guess is not None for guess in predicted), len(actual)).f1


def classification_scores(predicted: Sequence[L], actual: Sequence[L]) -> dict[str, float]:
    """The summary for `metrics.json`: `accuracy`, `macro_precision`, `macro_recall`, `macro_f1`, `floor`, `count`."""
    classes = class_scores(predicted, actual).values()
    return {
        "accuracy": accuracy(predicted, actual),
        "macro_precision": fmean(scores.precision for scores in classes),
        "macro_recall": fmean(scores.recall for scores in classes),
        "macro_f1": fmean(scores.f1 for scores in classes),
        "floor": majority_floor(actual),
        "count": len(actual),
    }


def multilabel_scores(predicted: NDArray[np.bool_], actual: NDArray[np.bool_]) -> dict[str, float]:
    """Any number of classes fits a sample. Two of `[samples, classes]` to `exact_match` (all classes of a sample are
    right), `accuracy` (of single decisions), `micro_f1` over all decisions and `macro_f1`, the mean over the classes.

    A class that neither occurs nor is predicted has no part in the macro mean, which is 0 where there is no other.

    Raises:
        ValueError: the two differ in shape, or are empty.
    """
    if predicted.shape != actual.shape or not actual.size:
        raise ValueError(f"predictions {predicted.shape} for classes {actual.shape}")
    hits, called, found = (predicted & actual).sum(0), predicted.sum(0), actual.sum(0)
    there = called + found > 0
    each = [_scores(*map(int, counts)).f1 for counts in zip(hits[there], called[there], found[there], strict=True)]
    return {
        "exact_match": float((predicted == actual).all(1).mean()),
        "accuracy": float((predicted == actual).mean()),
        "micro_f1": _scores(int(hits.sum()), int(called.sum()), int(found.sum())).f1,
        "macro_f1": fmean(each) if each else 0.0,
    }


def multilabel_floors(actual: NDArray[np.bool_]) -> dict[str, float]:
    """The most that one and the same answer to all samples gets at each of `multilabel_scores`, as `NAME_floor`.

    Each score has an answer of its own: the commonest one, each class as it is more often, the commonest classes up to
    the best number of them, and all classes that occur.

    Args:
        actual: `[samples, classes]`, not empty.
    """
    samples, often = len(actual), np.sort(actual.sum(0))[::-1]
    commonest = np.unique(actual, axis=0, return_counts=True)[1].max()
    called = np.arange(1, len(often) + 1) * samples
    shares = often[often > 0] / samples
    return {
        "exact_match_floor": float(commonest / samples),
        "accuracy_floor": float(np.maximum(often, samples - often).mean() / samples),
        "micro_f1_floor": float((2 * often.cumsum() / (called + often.sum())).max()),
        "macro_f1_floor": float((2 * shares / (1 + shares)).mean()) if len(shares) else 0.0,
    }


def majority_floor(actual: Sequence[Hashable]) -> float:
    """What always giving the commonest answer gets; the commonest of the test set itself, so no constant gets more."""
    if not actual:
        raise ValueError("a floor needs at least one answer")
    return Counter(actual).most_common(1)[0][1] / len(actual)


def question_floor(train: Iterable[tuple[Hashable, Hashable]], test: Iterable[tuple[Hashable, Hashable]]) -> float:
    """What a table gets that gives each question its commonest answer in training, without looking at any picture.

    Args:
        train: pairs of question and answer; test: likewise. A question that training never asked gets the commonest
            answer of all, and equally common answers the one seen first.
    """
    table: dict[Hashable, Counter[Hashable]] = defaultdict(Counter)
    overall: Counter[Hashable] = Counter()
    for question, answer in train:
        table[question][answer] += 1
        overall[answer] += 1
    if not overall:
        raise ValueError("the question-only floor needs training questions")
    pairs = list(test)
    guesses = [table.get(question, overall).most_common(1)[0][0] for question, _ in pairs]
    return accuracy(guesses, [answer for _, answer in pairs])


def accuracy_by_kind(
    predicted: Sequence[Hashable], actual: Sequence[Hashable], kinds: Sequence[str]
) -> dict[str, KindAccuracy]:
    """Accuracy for each kind of question, with the kind's own floor, kinds in alphabetical order."""
    _check_pairs(predicted, actual)
    _check_pairs(kinds, actual)
    truths: Mapping[str, list[Hashable]] = defaultdict(list)
    right: Counter[str] = Counter()
    for guess, truth, kind in zip(predicted, actual, kinds, strict=True):
        truths[kind].append(truth)
        right[kind] += guess == truth
    return {
        kind: KindAccuracy(right[kind], len(answers), majority_floor(answers))
        for kind, answers in sorted(truths.items())
    }


def wilson_interval(right: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval that holds the true rate with this confidence (Wilson 1927), good at 0 %, at 100 % and when small.

    Raises:
        ValueError: `right` is not among 0..`count`, or `count` is 0.
    """
    if not 0 <= right <= count or not count:
        raise ValueError(f"{right} right of {count} is no rate")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate, weight = right / count, z * z / count
    centre = (rate + weight / 2) / (1 + weight)
    reach = z / (1 + weight) * math.sqrt(rate * (1 - rate) / count + weight / (4 * count))
    # At the ends the bound is exactly the end; rounding would put it a little beside.
    return 0.0 if right == 0 else centre - reach, 1.0 if right == count else centre + reach


def _scores(hits: int, called: int, found: int) -> ClassScores:
    precision = hits / called if called else 0.0
    recall = hits / found if found else 0.0
    return ClassScores(precision, recall, 2 * hits / (called + found) if called + found else 0.0, found)


def _check_pairs(predicted: Sequence[object], actual: Sequence[object]) -> None:
    if len(predicted) != len(actual):
        raise ValueError(f"{len(predicted)} predictions for {len(actual)} answers")
    if not actual:
        raise ValueError("there is nothing to score: no predictions")
