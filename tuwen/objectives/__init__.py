"""Scalars to minimise. Each part's `build(config, context)` returns an `Objective`.

An objective owns no weights and no model: it reads the memoised forward pass, so that several share one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from pydantic import Field

from tuwen.core.batch import Batch
from tuwen.core.loss import Loss
from tuwen.core.rooms import PartConfig
from tuwen.models.forward import Forward


class ObjectiveConfig(PartConfig):
    """weight: the objective's factor in the total."""

    weight: float = Field(default=1.0, ge=0)


C = TypeVar("C", bound=ObjectiveConfig)


class Objective(ABC, Generic[C]):
    """A loss over one forward pass."""

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
    def __call__(self, forward: Forward) -> Loss:
        """The loss of a batch, with `Loss.count` equal to `count(batch)`."""


def rows(batch: Batch, stream: str) -> float:
    """How many texts a stream of the batch has."""
    return float(len(batch.texts[stream].ids)) if stream in batch.texts else 0.0
