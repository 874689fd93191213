"""For each task one example, decoded back from the very batch that the model would get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

import numpy as np

from tuwen.core.batch import Batch, Row, TextBatch
from tuwen.core.sample import Sample
from tuwen.models.predictor import Predictor
from tuwen.prep.batches import IGNORE
from tuwen.prep.tokens import Tokenizer
from tuwen.recipe.build import System
from tuwen.recipe.sources import Data
from tuwen.report.examples import SplitExamples
from tuwen.tasks import Task


@dataclass(frozen=True, slots=True)
class Piece:
    """Some tokens as text. loss: whether predicting them carries a loss."""

    text: str
    loss: bool


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a task in a batch.

    key: the sample. stream: where the row stands. pieces: its tokens; none for a task of pictures alone.
    target: the class that a head is to give. trained_by: the objectives that find a loss in the task's rows; none where
    the task only evaluates. rows, positions: of the task, in this batch: rows, and tokens that carry a loss.
    """

    key: str
    stream: str
    pieces: tuple[Piece, ...]
    target: str | None
    trained_by: tuple[str, ...]
    rows: int
    positions: int


def examples(system: System, data: Data, trained_by: Mapping[str, Sequence[str]]) -> tuple[dict[str, Example], Batch]:
    """An example of each task from the first batch of training, and that batch.

    Raises:
        DataError: no batch can be filled.
    """
    counted = {name: _Counted(task) for name, task in system.tasks.items()}
    loader = replace(system, tasks=counted).loader(data.train, workers=0)
    batch = next(loader.iterate()).batch
    return {name: _example(name, system, batch, counted, tuple(trained_by[name])) for name in counted}, batch


class _Counted(Task):
    """A task that remembers how many rows it gave for each sample."""

    def __init__(self, task: Task) -> None:
        self.task, self.stream, self.needs = task, task.stream, task.needs
        self.rows: list[int] = []

    def finds(self, sample: Sample) -> bool:
        return self.task.finds(sample)

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        rows = self.task.encode(sample, rng)
        self.rows.append(len(rows))
        return rows

    def target(self, sample: Sample) -> int | None:
        return self.task.target(sample)

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        return self.task.evaluate(predictor, samples, training, page)


def _example(
    name: str, system: System, batch: Batch, counted: Mapping[str, _Counted], trained_by: tuple[str, ...]
) -> Example:
    stream = counted[name].stream or name
    places = _places(name, counted)
    text = batch.texts.get(stream)
    rows = list(_rows(text)) if text is not None else []
    own = [(sample, *rows[place]) for sample, place in places]
    if not own:
        return _of_picture(system, batch, stream, trained_by)
    best = max(own, key=lambda row: (row[2].any(), row[3] not in (None, IGNORE)))
    sample, ids, loss, target = best
    return Example(
        key=batch.keys[sample],
        stream=stream,
        pieces=tuple(_pieces(ids, loss, system.tokenizer)),
        target=_class(target, system, trained_by),
        trained_by=trained_by,
        rows=len(own),
        positions=int(sum(row[2].sum() for row in own)),
    )


def _places(name: str, counted: Mapping[str, _Counted]) -> list[tuple[int, int]]:
    """The sample of each row of a task, and the row's place among all rows of the stream."""
    stream = counted[name].stream or name
    sharing = [other for other, task in counted.items() if (task.stream or other) == stream]
    places, start = [], 0
    for sample in range(len(counted[name].rows)):
        for other in sharing:
            end = start + counted[other].rows[sample]
            places += [(sample, place) for place in range(start, end)] if other == name else []
            start = end
    return places


def _rows(text: TextBatch) -> Iterator[tuple[np.ndarray, np.ndarray, int | None]]:
    """Each text of a stream, packed or not: its ids, where they carry a loss, and its class."""
    for row in range(len(text.ids)):
        segments = text.segments[row].numpy()
        for segment in range(1, segments.max() + 1):
            here = segments == segment
            loss = np.zeros(int(here.sum()), bool) if text.loss_mask is None else text.loss_mask[row].numpy()[here]
            yield text.ids[row].numpy()[here], loss, None if text.target is None else int(text.target[row])


def _of_picture(system: System, batch: Batch, stream: str, trained_by: tuple[str, ...]) -> Example:
    """A task that has no text in training: it asks for the class of the picture, or only evaluates."""
    known = [] if batch.target is None or not trained_by else (batch.target != IGNORE).nonzero().flatten().tolist()
    sample = known[0] if known else 0
    target = int(batch.target[sample]) if known and batch.target is not None else None
    return Example(batch.keys[sample], stream, (), _class(target, system, trained_by), trained_by, len(known), 0)


def _class(target: int | None, system: System, trained_by: Sequence[str]) -> str | None:
    """The name of a class, from the vocabulary of the head that an objective trains."""
    if target is None or target == IGNORE:
        return None
    heads = [system.recipe.objectives[name].get("head") for name in trained_by]
    names = [str(system.recipe.model.heads[head].classes) for head in heads if head in system.recipe.model.heads]
    words = next((system.vocabulary[name] for name in names if name in system.vocabulary), ())
    return words[target] if target < len(words) else f"class {target}"


def _pieces(ids: np.ndarray, loss: np.ndarray, tokenizer: Tokenizer) -> Iterator[Piece]:
    """Runs of tokens that carry a loss or do not."""
    for carries, run in groupby(zip(ids.tolist(), loss.tolist(), strict=True), key=itemgetter(1)):
        yield Piece(" ".join(_words([number for number, _ in run], tokenizer)), carries)


def _words(ids: Sequence[int], tokenizer: Tokenizer) -> Iterator[str]:
    """Special tokens by name; others together, because one Chinese character may be several tokens."""
    for special, run in groupby(ids, key=lambda number: number in tokenizer.marks.special):
        alike = list(run)
        named = (str(tokenizer.backend.id_to_token(number)) for number in alike)
        yield " ".join(named) if special else tokenizer.decode(alike)
