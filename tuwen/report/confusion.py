"""A confusion matrix as something to look at."""

from __future__ import annotations

from dataclasses import dataclass

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
    """`cells`: none where the matrix is too large to draw; `named`: whether names fit; `worst`: (is, called, count)."""

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    named: bool
    worst: tuple[tuple[str, str, int], ...]


def view(confusion: Confusion) -> ConfusionView:
    """Cells by share of their row, and the commonest confusions."""
    labels, cells = confusion.labels, []
    for row, counts in enumerate(confusion.counts):
        total = sum(counts)
        cells += [Cell(row, column, count, count / total) for column, count in enumerate(counts) if count]
    wrong = sorted((cell for cell in cells if cell.row != cell.column), key=lambda cell: -cell.count)
    worst = tuple((labels[cell.row], labels[cell.column], cell.count) for cell in wrong[:MOST_LISTED])
    return ConfusionView(labels, tuple(cells) if len(labels) <= MOST_DRAWN else (), len(labels) <= MOST_NAMED, worst)
