"""Scalars to minimise. Each part's `build(config, context)` returns an `Objective`.

An objective owns no weights and no model: it reads the memoised forward pass, so that several share one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import Field

from tuwen.core.batch import Batch
from tuwen.core.loss import Loss
from tuwen.core.rooms import PartConfig
from tuwen.models.config import HeadConfig
from tuwen.models.forward import Forward


@dataclass(frozen=True, slots=True)
class ObjectiveContext:
    """What every objective may know of the run's tokenizer and of its training data.

    vocab_size: its entries. mask: the id that stands for a hidden token, or None.
    special: the ids that are no part of a text.
    counts: how often each class of a vocabulary (`labels`, `answers`, `tags`) occurs in training, in the order of its
        numbers; empty where nobody counted, as in use.
    """

    vocab_size: int
    mask: int | None
    special: tuple[int, ...]
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


class ObjectiveConfig(PartConfig):
    """weight: the objective's factor in the total."""

    weight: float = Field(default=1.0, ge=0)


C = TypeVar("C", bound=ObjectiveConfig)


class Objective(ABC, Generic[C]):
    """What a recipe names under `objectives`: one `Term`, or several that belong together."""

    lacks: ClassVar[str] = "no task makes what it reads"
    """What to say where the training data gives it nothing to learn from."""

    def __init__(self, config: C) -> None:
        self.config = config

    @property
    def weight(self) -> float:
        """The factor in the total."""
        return self.config.weight

    @abstractmethod
    def count(self, batch: Batch) -> float:
        """How many items of the batch the loss sums over, 0 where it has none.

        Known before the forward pass, so that accumulation is exact.
        """

    @abstractmethod
    def terms(self, name: str) -> dict[str, tuple[float, Term[Any]]]:
        """What the objective called `name` adds to the total: terms by name, each with its factor.

        Every term is summed over its own items, in all batches of a step; a mean of means would weigh the items of a
        small batch more.
        """


class Term(Objective[C]):
    """An objective that is one loss over one forward pass."""

    heads: ClassVar[Mapping[str, HeadConfig]] = {}
    """For each setting that names a head of the model: a head that would do."""

    joins: ClassVar[bool] = False
    """Whether it compares all samples of a step with each other.

    It reads nothing but the embeddings of the pictures and of the texts of `config.stream`, and those of the other
    processes: so all run it where one of them finds something in its batch.
    """

    needs_places: ClassVar[bool] = False
    """Whether it reads where in the picture things are, so that nothing may move them."""

    needs_words: ClassVar[bool] = False
    """Whether it reads a vector for each word of a text behind the fusion."""

    def terms(self, name: str) -> dict[str, tuple[float, Term[Any]]]:
        return {name: (self.weight, self)}

    @abstractmethod
    def __call__(self, forward: Forward) -> Loss:
        """The loss of a batch with `count(batch)` > 0, and `Loss.count` equal to it."""


def rows(batch: Batch, stream: str) -> float:
    """How many texts a stream of the batch has."""
    return float(len(batch.texts[stream].ids)) if stream in batch.texts else 0.0
