"""Three who listen to training: a progress bar, TensorBoard, and a log file."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn

from tuwen.train.events import Listener, StepReport
from tuwen.train.lines import add_lines

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class ProgressBar(Listener):
    """Step, time left, pairs per second, the share of time spent waiting for data, and each loss.

    Where the output is no terminal, a plain line now and then instead.

    Args:
        console: where to write.
        every: seconds between two plain lines.
    """

    def __init__(self, console: Console | None = None, every: float = 15.0) -> None:
        self.console = console or Console()
        self.every, self.last_line = every, -math.inf
        self.bar = _BarWithLosses(
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(bar_width=None),
            TextColumn("{task.description}"),
            console=self.console,
            refresh_per_second=4,
            expand=True,
        )
        self.task = self.bar.add_task("the first step takes longest", start=False)

    def on_begin(self, step: int, total: int) -> None:
        if self.console.is_terminal:
            self.bar.reset(self.task, total=total, completed=step)
            self.bar.start()

    def on_step(self, report: StepReport) -> None:
        if self.console.is_terminal:
            self.bar.losses = describe_losses(report)
            self.bar.update(self.task, total=report.total, completed=report.step, description=describe_speed(report))
        elif time.monotonic() - self.last_line > self.every or report.step == report.total:
            self.last_line = time.monotonic()
            parts = f"step {report.step}/{report.total}", describe_speed(report), *describe_losses(report)
            self.console.print("  ".join(parts), soft_wrap=True, highlight=False)

    def on_note(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False, markup=False)

    def on_end(self) -> None:
        if self.console.is_terminal:
            self.bar.stop()


class _BarWithLosses(Progress):
    """A progress bar with the losses in the line below it."""

    losses: Sequence[str] = ()

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield Columns(self.losses)


def describe_speed(report: StepReport) -> str:
    """Time left, pairs per second, and how much of the time goes into waiting for data."""
    minutes, seconds = divmod(round(report.eta), 60)
    return f"{minutes}:{seconds:02d} left  {report.samples_per_second:.0f} pairs/s  waiting {report.waiting:.0%}"


def describe_losses(report: StepReport) -> list[str]:
    """Each objective's loss."""
    return [f"{name} {value:.3f}" for name, value in report.losses.items()]


class TensorBoard(Listener):
    """Curves for TensorBoard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer: SummaryWriter | None = None

    def on_begin(self, step: int, total: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # takes a second to import

        self.writer = SummaryWriter(str(self.folder), purge_step=step + 1 if step else None)

    def on_step(self, report: StepReport) -> None:
        if self.writer is None:
            return
        curves = {
            "loss/total": report.loss,
            **{f"loss/{name}": value for name, value in report.losses.items()},
            **{f"parts/{name}": value for name, value in report.parts.items()},
            "training/learning_rate": report.learning_rate,
            "training/gradient_norm": report.gradient_norm,
            "speed/pairs_per_second": report.samples_per_second,
            "speed/waiting_for_data": report.waiting,
        }
        for name, value in curves.items():
            self.writer.add_scalar(name, value, report.step)

    def on_end(self) -> None:
        if self.writer is not None:
            self.writer.close()


class LogFile(Listener):
    """`log.jsonl`: each report as a line of JSON (the fields of `StepReport`)."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def on_step(self, report: StepReport) -> None:
        add_lines(self.file, [asdict(report)])
