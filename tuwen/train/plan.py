"""How many steps there are, and the learning rate of each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Change(NamedTuple):
    """From `step` on, where the run is `progress` done, it is to have `total` steps."""

    step: int
    progress: float
    total: int


@dataclass(slots=True)
class Plan:
    """The number of steps, and every change of it.

    A run with a time limit learns its number of steps on the way. The changes are recorded, and everything that
    depends on them is computed from the record, so that a resumed run takes the same decisions at the same steps.
    """

    changes: list[Change]

    @classmethod
    def of(cls, total: int) -> Plan:
        """A plan of so many steps."""
        return cls([Change(0, 0.0, total)])

    @classmethod
    def restored(cls, changes: Iterable[Iterable[float]]) -> Plan:
        """The plan that was written as JSON."""
        return cls([Change(int(step), float(progress), int(total)) for step, progress, total in changes])

    @property
    def decided(self) -> int:
        """The step of the latest change; before it nothing is left to decide."""
        return self.changes[-1].step

    def total(self, step: int) -> int:
        """The number of steps as planned at `step`."""
        return self._at(step).total

    def progress(self, step: int) -> float:
        """Which share of the run lies before `step`; grows evenly between two changes."""
        change = self._at(step)
        left = change.total - change.step
        return change.progress + (1 - change.progress) * min(1.0, (step - change.step) / left) if left else 1.0

    def change(self, step: int, total: int) -> None:
        """From `step` on, have `total` steps."""
        self.changes.append(Change(step, self.progress(step), max(step, total)))

    def stretch(self, step: int, total: int) -> None:
        """From `step` on, be where a run that had `total` steps from its beginning would be."""
        self.changes.append(Change(step, min(1.0, step / total), max(step, total)))

    def _at(self, step: int) -> Change:
        return next(change for change in reversed(self.changes) if change.step <= step)


def learning_rate(plan: Plan, step: int, *, highest: float, warmup: float, floor: float, hold: float = 0.0) -> float:
    """Linear warm-up, then half a cosine down to `floor * highest` (Loshchilov and Hutter 2017, arXiv:1608.03983).

    Args:
        warmup: a number of steps where it is an int, a share of the run where it is a float.
        hold: the share of the run, from its beginning, that is over before the rate falls.
    """
    if isinstance(warmup, int):
        risen, start = (step + 1) / warmup if warmup else 1.0, plan.progress(warmup)
    else:
        risen, start = plan.progress(step + 1) / warmup if warmup else 1.0, warmup
    if risen < 1:
        return highest * risen
    start = max(start, hold)
    fallen = min(1.0, max(0.0, (plan.progress(step) - start) / (1 - start))) if start < 1 else 0.0
    return highest * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * fallen)))
