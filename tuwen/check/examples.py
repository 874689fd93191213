"""For each task one example, decoded back from the very batch that the model would get."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tuwen.core.batch import PICTURE, Batch, Row, TextBatch
from tuwen.core.sample import Sample
from tuwen.models.predictor import Predictor
from tuwen.objectives import Term
from tuwen.objectives.grounding import Grounding
from tuwen.objectives.masked_lm import MaskedLM
from tuwen.prep.batches import IGNORE, Together
from tuwen.prep.tokens import Tokenizer
from tuwen.recipe.build import System
from tuwen.recipe.prepare import build_objectives
from tuwen.recipe.sources import Data
from tuwen.report.examples import SplitExamples
from tuwen.tasks import Task

BLANK = "␣"
"""Stands for white space, where some tokens are nothing else."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some tokens as text. loss: whether they carry one: they are predicted, or something is to be told of them."""

    text: str
    loss: bool


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a task in a batch.

    key: the sample; several, where they stand together in one text. stream: where the row stands.
    pieces: its tokens; none for a task of pictures alone. target: the class, or the tags, that a head is to give.
    trained_by: the objectives that find a loss in the task's rows; none where the task only evaluates.
    rows, positions: of the task, in this batch: rows, and tokens that carry a loss. drawn: whether an objective draws
    those tokens anew in each step. whole: whether each row carries one as a whole.
    """

    key: str
    stream: str
    pieces: tuple[Piece, ...]
    target: str | None
    trained_by: tuple[str, ...]
    rows: int
    positions: int
    drawn: bool = False
    whole: bool = False


def examples(system: System, data: Data, trained_by: Mapping[str, Sequence[str]]) -> tuple[dict[str, Example], Batch]:
    """An example of each task from the first batch of training, and that batch.

    Raises:
        DataError: no batch can be filled.
    """
    noted = {name: _Noted(task) for name, task in system.tasks.items()}
    loader = replace(system, tasks=noted).loader(data.train, workers=0)
    batch = next(loader.iterate()).batch
    return {name: _example(name, task, system, batch, tuple(trained_by[name])) for name, task in noted.items()}, batch


class _Noted(Task):
    """A task that notes what it gave for each sample: rows, and of its picture the class or the tags."""

    def __init__(self, task: Task) -> None:
        self.task, self.stream, self.needs = task, task.stream, task.needs
        self.needs_picture, self.together = task.needs_picture, task.together
        self.rows: list[tuple[str, Row]] = []
        self.classes: list[tuple[str, list[int]]] = []
        self.tagged: list[tuple[str, list[int]]] = []

    def finds(self, sample: Sample) -> bool:
        return self.task.finds(sample)

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        rows = self.task.encode(sample, rng)
        self.rows += [(sample.key, row) for row in rows]
        return rows

    def target(self, sample: Sample) -> int | None:
        target = self.task.target(sample)
        if target not in (None, IGNORE):
            self.classes.append((sample.key, [target]))
        return target

    def tags(self, sample: Sample) -> list[int] | None:
        tags = self.task.tags(sample)
        if tags is not None:
            self.tagged.append((sample.key, [number for number, fits in enumerate(tags) if fits == 1]))
        return tags

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        return self.task.evaluate(predictor, samples, training, page)


@dataclass(frozen=True, slots=True)
class _Text:
    """A text as it stands in a batch. own: where its row says that it carries a loss; loss: where it does."""

    ids: tuple[int, ...]
    own: tuple[bool, ...]
    loss: tuple[bool, ...]
    target: int | None


def _example(name: str, task: _Noted, system: System, batch: Batch, trained_by: tuple[str, ...]) -> Example:
    stream = task.stream or name
    terms = _terms(system, stream, trained_by)
    drawn = any(isinstance(term, MaskedLM) for term in terms)
    rows = batch.texts.get(stream)
    texts = [] if rows is None else list(_texts(rows, _chosen(rows, terms, system.recipe.seed)))
    found = _own(task.rows, texts) if task.together is None else _joined(task.rows, texts, task.together)
    if not found:
        return _of_picture(task, system, batch, stream, trained_by)
    key, text = max(found, key=lambda one: (any(one[1].loss), one[1].target not in (None, IGNORE)))
    return Example(
        key=key,
        stream=stream,
        pieces=tuple(_pieces(text.ids, text.loss, system.tokenizer)),
        target=_class(text.target, system, trained_by),
        trained_by=trained_by,
        rows=len(found),
        positions=sum(sum(text.loss) for _, text in found),
        drawn=drawn,
        whole=not any(any(text.own) for _, text in found) and not drawn,
    )


def _terms(system: System, stream: str, trained_by: Sequence[str]) -> list[Term[Any]]:
    """What reads a stream, of some objectives."""
    objectives = build_objectives(system.recipe, system.tokenizer, system.counts)
    terms = (term for name in trained_by for _, term in objectives[name].terms(name).values())
    return [term for term in terms if getattr(term.config, "stream", None) == stream]


def _chosen(text: TextBatch, terms: Sequence[Term[Any]], seed: int) -> Tensor | None:
    """bool `[R, L]`: tokens of a stream that a term draws to be guessed, or that are to tell what they name.

    None where no term chooses.
    """
    for term in terms:
        if isinstance(term, MaskedLM):
            with torch.random.fork_rng(devices=()):
                torch.manual_seed(seed)
                return term.choose(text)
        if isinstance(term, Grounding) and text.phrases is not None:
            return text.phrases.of > 0
    return None


def _texts(text: TextBatch, chosen: Tensor | None) -> Iterator[_Text]:
    """Each text of a stream, packed or not."""
    masks = torch.zeros_like(text.ids, dtype=torch.bool) if text.loss_mask is None else text.loss_mask
    for row, segments in enumerate(text.segments):
        for segment in range(1, int(segments.max()) + 1):
            here = segments == segment
            ids, own = tuple(text.ids[row, here].tolist()), tuple(masks[row, here].tolist())
            loss = own if chosen is None else tuple(chosen[row, here].tolist())
            yield _Text(ids, own, loss, None if text.target is None else int(text.target[row]))


def _own(rows: Sequence[tuple[str, Row]], texts: Sequence[_Text]) -> list[tuple[str, _Text]]:
    """The rows of a task as they stand in the batch, wherever that is, and the sample of each."""
    there: dict[object, list[_Text]] = defaultdict(list)
    for text in reversed(texts):
        there[text.ids, text.own].append(text)
    found = []
    for key, row in rows:
        same = there[tuple(row.ids), tuple(row.loss_mask or [False] * len(row.ids))]
        found += [(key, same.pop())] if same else []
    return found


def _joined(rows: Sequence[tuple[str, Row]], texts: Sequence[_Text], how: Together) -> list[tuple[str, _Text]]:
    """Texts in which the rows of several samples stand one after the other, and these samples."""
    left, found = iter(rows), []
    for text in texts:
        length, keys = len(how.start), []
        while length < len(text.ids):
            key, row = next(left)
            length += len(row.ids)
            keys.append(key)
        found.append((", ".join(keys), text))
    return found


def _of_picture(task: _Noted, system: System, batch: Batch, stream: str, trained_by: tuple[str, ...]) -> Example:
    """A task that has no text in the batch: it asks for the class or the tags of the picture, or only evaluates."""
    known = (task.classes or task.tagged) if trained_by else []
    key, numbers = known[0] if known else (batch.keys[0], [])
    names = system.vocabulary["tags"] if not task.classes else ()
    target = _class(numbers[0], system, trained_by) if task.classes else ", ".join(names[n] for n in numbers)
    return Example(key, stream, (), target if known else None, trained_by, len(known), 0)


def _class(target: int | None, system: System, trained_by: Sequence[str]) -> str | None:
    """The name of a class, from the vocabulary of the head that an objective trains."""
    if target is None or target == IGNORE:
        return None
    heads = [system.recipe.objectives[name].get("head") for name in trained_by]
    names = [str(system.recipe.model.heads[head].classes) for head in heads if head in system.recipe.model.heads]
    words = next((system.vocabulary[name] for name in names if name in system.vocabulary), ())
    return words[target] if target < len(words) else f"class {target}"


def _pieces(ids: Sequence[int], loss: Sequence[bool], tokenizer: Tokenizer) -> Iterator[Piece]:
    """Runs of tokens that carry a loss or do not."""
    for carries, run in groupby(zip(ids, loss, strict=True), key=itemgetter(1)):
        yield Piece(" ".join(_words([number for number, _ in run], tokenizer)), carries)


def _words(ids: Sequence[int], tokenizer: Tokenizer) -> Iterator[str]:
    """Special tokens and pictures by name; others together, because one Chinese character may be several tokens."""
    for special, run in groupby(ids, key=lambda number: number in (PICTURE, *tokenizer.marks.special)):
        alike = list(run)
        named = ("[picture]" if n == PICTURE else str(tokenizer.backend.id_to_token(n)) for n in alike)
        yield " ".join(named) if special else tokenizer.decode(alike) or BLANK
