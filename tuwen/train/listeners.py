"""Three who listen to training: a progress bar, TensorBoard, and a log file."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tuwen.train.events import Listener, StepReport
from tuwen.train.lines import add_lines

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class ProgressBar(Listener):
    """Step, time left, pairs per second, losses, and the share of time spent waiting for data.

    Where the output is no terminal, a plain line now and then instead.

    Args:
        console: where to write.
        every: seconds between two plain lines.
    """

    def __init__(self, console: Console | None = None, every: float = 15.0) -> None:
        self.console = console or Console()
        self.every, self.last_line = every, 0.0
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=self.console,
            transient=False,
        )
        self.task = self.bar.add_task("", start=False)

    def on_begin(self, step: int, total: int) -> None:
        self.bar.reset(self.task, start=True, total=total, completed=step)
        if self.console.is_terminal:
            self.bar.start()

    def on_step(self, report: StepReport) -> None:
        if self.console.is_terminal:
            self.bar.update(
                self.task, total=report.total, completed=report.step, description=describe(report), refresh=True
            )
        elif time.monotonic() - self.last_line > self.every or report.step == report.total:
            self.last_line = time.monotonic()
            self.console.print(
                f"step {report.step}/{report.total}  {describe(report)}", soft_wrap=True, highlight=False
            )

    def on_note(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False, markup=False)

    def on_end(self) -> None:
        self.bar.stop()


def describe(report: StepReport) -> str:
    """A report in one line."""
    losses = "  ".join(f"{name} {value:.3f}" for name, value in report.losses.items())
    minutes, seconds = divmod(round(report.eta), 60)
    left = f"{minutes}:{seconds:02d} left"
    return f"{left}  {report.samples_per_second:.0f} pairs/s  waiting {report.waiting:.0%}  {losses}"


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
