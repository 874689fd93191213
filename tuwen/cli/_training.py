"""What the commands that train have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from tuwen.recipe.run import Finished


def train(
    recipe: str,
    data: Sequence[str],
    captions: str | None,
    out: Path | None,
    sets: Sequence[str],
    resume: bool,
    asked: Mapping[str, Any] | None = None,
) -> Finished:
    """Train, telling how it goes; leave the run's folder with everything in it. Exits with 130 if interrupted."""
    from tuwen.data import spec_of
    from tuwen.recipe.run import pretrain
    from tuwen.recipe.schema import load_recipe
    from tuwen.recipe.settings import Setting
    from tuwen.report.tables import metrics_table
    from tuwen.train.listeners import LogFile, ProgressBar, TensorBoard

    options = [Setting.given({"data": spec_of(data, captions)}, "--data")] if data or captions else []
    run = out or Path("runs") / Path(recipe).stem
    resolved = load_recipe(recipe, options, sets)
    console = Console()
    listeners = [ProgressBar(console), TensorBoard(run / "tensorboard"), LogFile(run / "log.jsonl")]
    finished = pretrain(resolved, run, resume=resume, listeners=listeners, asked=asked)
    if finished.report is None:
        console.print(
            f"Interrupted at step {finished.result.step}. Go on with: tuwen pretrain {recipe} --out {run} --resume"
        )
        raise typer.Exit(130)
    console.print(metrics_table(finished.metrics))
    if finished.result.skipped:
        console.print(f"{finished.result.skipped} samples could not be used; {run / 'skipped.jsonl'} lists them.")
    console.print(f"Report: {finished.report}")
    return finished
