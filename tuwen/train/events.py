"""What a training run tells those who listen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StepReport:
    """How training goes: averages over the steps since the last report.

    step: optimizer steps done. total: steps planned (may change where the time is limited).
    loss: the weighted sum of the objectives' losses, each an average over its items.
    losses: each objective's loss an item. parts: further numbers of the objectives, `objective/name`.
    learning_rate: of the last step. gradient_norm: of the last step, before clipping.
    samples_per_second: over all processes. waiting: share of the time in which training waited for data, 0 to 1.
    seconds: since training began. eta: seconds to the end. epoch: passes over the data, from 0.
    skipped: samples that could not be used so far, by this process.
    """

    step: int
    total: int
    loss: float
    losses: dict[str, float]
    parts: dict[str, float]
    learning_rate: float
    gradient_norm: float
    samples_per_second: float
    waiting: float
    seconds: float
    eta: float
    epoch: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended.

    step: optimizer steps done. finished: whether that is all of them, or the run was interrupted.
    seconds: training time, over all resumptions. samples_per_second: over all of it.
    checkpoint: the last one. skipped: samples that could not be used.
    """

    step: int
    finished: bool
    seconds: float
    samples_per_second: float
    checkpoint: Path
    skipped: int


class Listener:
    """Hears what happens in a run. Override what you care for; `fit` calls these in the main process alone."""

    def on_begin(self, step: int, total: int) -> None:
        """Training goes on from `step` (0 where it begins)."""

    def on_step(self, report: StepReport) -> None:
        """Every `log_every` steps, and after the last."""

    def on_save(self, step: int, path: Path) -> None:
        """A checkpoint was written."""

    def on_note(self, text: str) -> None:
        """Something worth saying once."""

    def on_end(self) -> None:
        """Training ended, well or not."""


@dataclass(slots=True)
class Listeners(Listener):
    """Several as one."""

    members: Iterable[Listener] = field(default_factory=list)

    def on_begin(self, step: int, total: int) -> None:
        for member in self.members:
            member.on_begin(step, total)

    def on_step(self, report: StepReport) -> None:
        for member in self.members:
            member.on_step(report)

    def on_save(self, step: int, path: Path) -> None:
        for member in self.members:
            member.on_save(step, path)

    def on_note(self, text: str) -> None:
        for member in self.members:
            member.on_note(text)

    def on_end(self) -> None:
        for member in self.members:
            member.on_end()
