"""Scalars to minimise. Each part's `build(config, context)` returns an `Objective`.

An objective owns no weights and no model: it reads the memoised forward pass, so that several share one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import Field

from tuwen.core.batch import Batch
from tuwen.core.loss import Loss
from tuwen.core.rooms import PartConfig
from tuwen.models.config import HeadConfig
from tuwen.models.forward import Forward


@dataclass(frozen=True, slots=True)
class ObjectiveContext:
    """What every objective may know of the run's tokenizer.

    vocab_size: its entries. mask: the id that stands for a hidden token. special: the ids that are no part of a text.
    """

    vocab_size: int
    mask: int
    special: tuple[int, ...]


class ObjectiveConfig(PartConfig):
    """weight: the objective's factor in the total."""

    weight: float = Field(default=1.0, ge=0)


C = TypeVar("C", bound=ObjectiveConfig)


class Objective(ABC, Generic[C]):
    """What a recipe names under `objectives`: one `Term`, or several that belong together."""

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

    def terms(self, name: str) -> dict[str, tuple[float, Term[Any]]]:
        return {name: (self.weight, self)}

    @abstractmethod
    def __call__(self, forward: Forward) -> Loss:
        """The loss of a batch with `count(batch)` > 0, and `Loss.count` equal to it."""


def rows(batch: Batch, stream: str) -> float:
    """How many texts a stream of the batch has."""
    return float(len(batch.texts[stream].ids)) if stream in batch.texts else 0.0
