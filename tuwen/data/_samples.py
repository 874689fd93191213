"""The rows of one picture as a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tuwen.core.errors import SampleError
from tuwen.core.sample import Caption, Question, Sample
from tuwen.data._columns import Columns, ColumnsConfig
from tuwen.data._pictures import PictureFinder, path_of, picture_of
from tuwen.data._text import clean, guess_language, tags_in, texts
from tuwen.data._vocabulary import ANSWERING, ASKING, SILENT

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class RowSource:
    """Samples made of the rows of a table.

    order, starts: sample `i` is made of the rows `order[starts[i]:starts[i + 1]]`.
    """

    reader: SampleReader
    order: Numbers
    starts: Numbers

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        return self.reader.read(self.order[self.starts[index] : self.starts[index + 1]].tolist())


class Cells(Protocol):
    """What a sample is made of: `Rows`, or anything with cells like theirs."""

    @property
    def faults(self) -> Mapping[int, str]: ...

    def cell(self, row: int, column: str) -> Any: ...

    def where(self, row: int) -> str: ...


@dataclass(frozen=True)
class SampleReader:
    """Makes a sample of the rows of one picture."""

    rows: Cells
    columns: Columns
    config: ColumnsConfig
    finder: PictureFinder | None = None

    def read(self, members: Sequence[int]) -> Sample:
        """The sample of these rows.

        Raises:
            SampleError: it has no picture, or nothing is said about it.
        """
        first = members[0]
        where = self.rows.where(first)
        if first in self.rows.faults:
            raise SampleError(where, self.rows.faults[first])
        cell = self.rows.cell(first, self.columns.image)
        picture = picture_of(cell, self.finder, where)
        label = next((label for row in members if (label := self._label(row)) is not None), None)
        sample = Sample(
            key=path_of(cell) or where,
            image=picture,
            captions=tuple(self._captions(members, label)),
            questions=tuple(question for row in members for question in (*self._questions(row), *self._turns(row))),
            label=label,
            tags=self._tags(members),
        )
        if not (sample.captions or sample.questions or sample.label or sample.tags is not None):
            columns = [name for name, _ in self.columns.captions] + [self.columns.question, self.columns.label]
            columns += self.columns.turns or ()
            empty = ", ".join(name for name in columns if name)
            raise SampleError(sample.key, f"nothing is said about the picture: {empty} is empty ({where})")
        return sample

    def _label(self, row: int) -> str | None:
        if self.columns.label is None:
            return None
        return next(iter(texts(self.rows.cell(row, self.columns.label))), None)

    def _tags(self, members: Sequence[int]) -> tuple[str, ...] | None:
        """All that any of the rows says; None where the table has no tags."""
        if self.columns.tags is None:
            return None
        said = (text for row in members for text in texts(self.rows.cell(row, self.columns.tags)))
        return tuple(sorted({tag for text in said for tag in tags_in(text)}))

    def _captions(self, members: Sequence[int], label: str | None) -> list[Caption]:
        found = [
            Caption(text, language or guess_language(text))
            for row in members
            for column, language in self.columns.captions
            for text in texts(self.rows.cell(row, column))
        ]
        if label is not None:
            found += [Caption(fill(text, label), language) for language, text in self.config.templates.items()]
        return list(dict.fromkeys(found))

    def _questions(self, row: int) -> list[Question]:
        """Questions with their answers; of several answers to one question the commonest."""
        columns = self.columns
        if columns.question is None or columns.answer is None:
            return []
        asked = texts(self.rows.cell(row, columns.question))
        answers = texts(self.rows.cell(row, columns.answer))
        if len(asked) == 1 and answers:
            answers = [Counter(answers).most_common(1)[0][0]]
        if len(asked) != len(answers):
            if not asked or not answers:
                return []
            raise SampleError(self.rows.where(row), f"{len(asked)} questions and {len(answers)} answers")
        kinds = texts(self.rows.cell(row, columns.kind)) if columns.kind else []
        if len(kinds) != len(asked):
            kinds = ["other"] * len(asked)
        return [
            self._question(question, answer, kind) for question, answer, kind in zip(asked, answers, kinds, strict=True)
        ]

    def _turns(self, row: int) -> list[Question]:
        """The questions and answers of a conversation; what stands for the picture in its words is left out."""
        if self.columns.turns is None:
            return []
        speakers, said = (texts(self.rows.cell(row, column)) for column in self.columns.turns)
        if len(speakers) != len(said):
            raise SampleError(self.rows.where(row), f"{len(speakers)} turns of a conversation and {len(said)} texts")
        turns = [(speaker.lower(), text) for speaker, text in zip(speakers, said, strict=True)]
        turns = [(speaker, clean(text.replace("<image>", " "))) for speaker, text in turns if speaker not in SILENT]
        pairs = list(zip(turns[::2], turns[1::2], strict=False))
        fits = all(asks in ASKING and text and answers in ANSWERING for (asks, text), (answers, _) in pairs)
        if len(turns) % 2 or not fits:
            raise SampleError(
                self.rows.where(row), "the turns of its conversation are not a question and its answer, again and again"
            )
        return [self._question(question, answer, "other") for (_, question), (_, answer) in pairs]

    def _question(self, text: str, answer: str, kind: str) -> Question:
        return Question(text, answer, kind, self.config.language or guess_language(text))


def fill(template: str, label: str) -> str:
    """The text of a label: `a photo of a {}` and `golden_retriever` make `a photo of a golden retriever`."""
    return template.replace("{}", label.replace("_", " "))
