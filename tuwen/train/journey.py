"""How far a run has come: everything that it must know to go on, and that is no tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tuwen.prep.loader import Cursor
from tuwen.train.config import TrainConfig
from tuwen.train.plan import Plan


@dataclass(slots=True)
class Journey:
    """The state of a run between two steps.

    step: optimizer steps done. plan: how many there will be. seconds: training time so far.
    cursors: for a stream, how far each process's readers have come; else empty.
    precision, compiled: as decided when the run began.
    """

    step: int
    plan: Plan
    seconds: float
    cursors: list[Cursor]
    precision: str
    compiled: bool

    @property
    def total(self) -> int:
        """Steps planned at this step."""
        return self.plan.total(self.step)

    def as_json(self, config: TrainConfig, identity: Mapping[str, Any], world: int) -> dict[str, Any]:
        """What stands in a checkpoint's state.json."""
        return {
            "step": self.step,
            "plan": self.plan.changes,
            "seconds": self.seconds,
            "cursors": self.cursors,
            "precision": self.precision,
            "compiled": self.compiled,
            "processes": world,
            "threads": torch.get_num_threads(),
            "config": config.model_dump(mode="json"),
            "identity": dict(identity),
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Journey:
        """The journey that a checkpoint holds."""
        return cls(
            step=state["step"],
            plan=Plan.restored(state["plan"]),
            seconds=state["seconds"],
            cursors=[tuple((epoch, done) for epoch, done in cursor) for cursor in state["cursors"]],
            precision=state["precision"],
            compiled=state["compiled"],
        )
