"""A confusion matrix as something to look at, with what it says of each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuwen.metrics.classification import ClassScores, matrix_scores
from tuwen.report.examples import Confusion

MOST_DRAWN = 128
MOST_NAMED = 24
MOST_LISTED = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell that is not empty: `share` of its row, so that rare classes show."""

    row: int
    column: int
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class ConfusionView:
    """`cells`: none where the matrix is too large to draw; `named`: whether names fit; `worst`: (is, called, count).

    `classes`: precision, recall and F1 of each class that occurs or was called, the worst F1 first.
    """

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    named: bool
    worst: tuple[tuple[str, str, int], ...]
    classes: tuple[tuple[str, ClassScores], ...]


def view(confusion: Confusion) -> ConfusionView:
    """Cells by share of their row, the commonest confusions, and each class."""
    labels, cells = confusion.labels, []
    for row, counts in enumerate(confusion.counts):
        total = sum(counts)
        cells += [Cell(row, column, count, count / total) for column, count in enumerate(counts) if count]
    wrong = sorted((cell for cell in cells if cell.row != cell.column), key=lambda cell: -cell.count)
    worst = tuple((labels[cell.row], labels[cell.column], cell.count) for cell in wrong[:MOST_LISTED])
    drawn = tuple(cells) if len(labels) <= MOST_DRAWN else ()
    return ConfusionView(labels, drawn, len(labels) <= MOST_NAMED, worst, _classes(confusion))


def _classes(confusion: Confusion) -> tuple[tuple[str, ClassScores], ...]:
    matrix = np.array(confusion.counts, np.int64).reshape(len(confusion.labels), -1)
    there = matrix.sum(0) + matrix.sum(1) > 0
    scores = zip(confusion.labels, matrix_scores(matrix), there, strict=True)
    return tuple(sorted(((label, score) for label, score, seen in scores if seen), key=lambda pair: pair[1].f1))
