"""One picture of what comes out: pictures with the captions and answers that a model gave, for a README or a talk."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from numpy.typing import NDArray

from tuwen.core.errors import DataError
from tuwen.report.examples import Examples, SplitExamples
from tuwen.report.fonts import characters, find_font, is_wide, lines

INK, SOFT, RIGHT, WRONG = "#1d1c1a", "#6b665d", "#24734a", "#b3331f"
COLUMN, PICTURE, LINE, GAP = 2.45, 2.1, 0.19, 0.2
"""Inches: a column, a picture in it, a line of text, the space around."""
LETTERS = 28
"""Letters in a line; a Chinese character counts as two."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text under a picture, with the sign before it."""

    text: str
    colour: str
    sign: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A picture and the lines under it."""

    picture: NDArray[np.uint8]
    right: bool
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """All that is written under the picture."""
        return "".join(line.text for line in self.lines)

    @property
    def chinese(self) -> bool:
        """Whether a Chinese font is needed."""
        return any(map(is_wide, self.text))


def overview_figure(examples: Examples, split: str = "held_out", columns: int = 4) -> bytes:
    """A PNG: a row of captions and a row of answers, `columns` of each, one of them a failure where there are any.

    Chinese needs a font that has it: the first one installed is taken. Texts that cannot be drawn are left out, and a
    line under the figure says so.

    Raises:
        DataError: the split has neither a caption nor an answer that can be drawn.
    """
    found = examples.splits.get(split, SplitExamples())
    rows = [_captions(found), _answers(found)]
    font = find_font(any(cell.chinese for row in rows for cell in row))
    known = characters(str(font.get_file()))
    drawable = [[cell for cell in row if {ord(char) for char in cell.text} <= known] for row in rows]
    chosen = [row for row in (_pick(row, columns) for row in drawable) if row]
    if not chosen:
        raise DataError(f"nothing to draw in {split!r}; the examples have {', '.join(examples.splits) or 'no splits'}")
    complete = [len(row) for row in drawable] == [len(row) for row in rows]
    return _draw(chosen, columns, font, "" if complete else "Texts that no installed font can draw are left out.")


def _captions(found: SplitExamples) -> list[Cell]:
    return [
        Cell(one.picture, one.right, tuple(_said(one.prediction, one.reference, one.right))) for one in found.captions
    ]


def _answers(found: SplitExamples) -> list[Cell]:
    return [
        Cell(one.picture, one.right, (*_wrapped(one.question, SOFT), *_said(one.prediction, one.answer, one.right)))
        for one in found.answers
    ]


def _said(prediction: str, truth: str, right: bool) -> Iterator[Line]:
    yield from _wrapped(prediction or "…", INK if right else WRONG, "✓" if right else "✗")
    if not right:
        yield from _wrapped(truth, RIGHT, "→")


def _wrapped(text: str, colour: str, sign: str = "") -> Iterator[Line]:
    first, *others = lines(text, LETTERS)
    yield Line(first, colour, sign)
    yield from (Line(other, colour) for other in others)


def _pick(row: Sequence[Cell], columns: int) -> list[Cell]:
    """Successes and, last, one failure where there is one; more of them where successes are few."""
    right = list(_by_turns([cell for cell in row if cell.right]))
    seen = {cell.picture.tobytes() for cell in right}
    wrong = [cell for cell in _by_turns([cell for cell in row if not cell.right]) if cell.picture.tobytes() not in seen]
    shown = right[: columns - bool(wrong)]
    return shown + wrong[: columns - len(shown)]


def _by_turns(row: Sequence[Cell]) -> Iterator[Cell]:
    """Other languages and Chinese by turns, no picture twice."""
    waiting = deque(cell for cell in row if not cell.chinese), deque(cell for cell in row if cell.chinese)
    seen: set[bytes] = set()
    while any(waiting):
        for queue in waiting:
            while queue:
                cell = queue.popleft()
                if cell.picture.tobytes() not in seen:
                    seen.add(cell.picture.tobytes())
                    yield cell
                    break


def _draw(rows: Sequence[Sequence[Cell]], columns: int, font: FontProperties, note: str) -> bytes:
    heights = [PICTURE + LINE * max(len(cell.lines) for cell in row) + 2 * GAP for row in rows]
    width, height = COLUMN * columns + GAP, sum(heights) + GAP + LINE * bool(note)
    figure = Figure(figsize=(width, height), dpi=160, facecolor="white")
    top = height - GAP
    for row, row_height in zip(rows, heights, strict=True):
        for column, cell in enumerate(row):
            left = GAP + column * COLUMN
            axes = figure.add_axes((left / width, (top - PICTURE) / height, PICTURE / width, PICTURE / height))
            axes.imshow(cell.picture, interpolation="lanczos")
            axes.set_axis_off()
            for index, line in enumerate(cell.lines):
                y = (top - PICTURE - 0.12 - LINE * index) / height
                indent = 0.0 if line.colour == SOFT else 0.18
                if line.sign:
                    figure.text(left / width, y, line.sign, color=line.colour, size=9.5, va="top", family="DejaVu Sans")
                figure.text((left + indent) / width, y, line.text, color=line.colour, size=9.5, va="top", font=font)
        top -= row_height
    if note:
        figure.text(GAP / width, (LINE + GAP / 2) / height, note, color=SOFT, size=8, va="top", font=font)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "Tuwen"})
    return buffer.getvalue()
