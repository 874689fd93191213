"""What the commands that train have in common."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from tuwen.recipe.resolve import Resolved
    from tuwen.recipe.run import Finished
    from tuwen.recipe.schema import Recipe
    from tuwen.report.forgetting import Forgetting


def chosen(recipe: str | None, data: Sequence[str] | None, captions: str | None) -> str:
    """The recipe to look at where none is named: that which one's own data is pretrained with, else the quickstart."""
    return recipe or ("pretrain" if data or captions else "quickstart")


def load(recipe: str, data: Sequence[str], captions: str | None, sets: Sequence[str]) -> Resolved[Recipe]:
    """The recipe that a command line asks for.

    Of a run, `--data` replaces the whole section `data`: a table or columns of the old data say nothing about the new.
    """
    from tuwen.data import spec_of
    from tuwen.recipe.schema import data_kind, load_recipe
    from tuwen.recipe.settings import Setting

    wanted: list[dict[str, Any]] = [{"data": spec_of(data, captions, data_kind(recipe))}] if data or captions else []
    if wanted and _is_run(recipe):
        wanted.insert(0, {"data": None})
    return load_recipe(recipe, [Setting.given(spec, "--data") for spec in wanted], sets)


def train(
    recipe: str,
    data: Sequence[str],
    captions: str | None,
    out: Path | None,
    sets: Sequence[str],
    resume: bool,
    asked: Mapping[str, Any] | None = None,
) -> Finished:
    """Train the recipe that a command line asks for, as `run_recipe` does."""
    return run_recipe(load(recipe, data, captions, sets), out or _folder(recipe), resume, asked)


def run_recipe(resolved: Resolved[Recipe], run: Path, resume: bool, asked: Mapping[str, Any] | None = None) -> Finished:
    """Train, telling how it goes; leave the run's folder with everything in it.

    Exits with 130 if interrupted. Of several processes only the first measures and returns; the others are done.
    """
    from tuwen.recipe.run import pretrain
    from tuwen.report.tables import metrics_table
    from tuwen.train.lines import SkippedList
    from tuwen.train.listeners import LogFile, ProgressBar, TensorBoard

    console = Console()
    listeners = [ProgressBar(console), TensorBoard(run / "tensorboard"), LogFile(run / "log.jsonl")]
    finished = pretrain(resolved, run, resume=resume, listeners=listeners, asked=asked)
    if finished.report is None and finished.result.finished:
        raise typer.Exit
    if finished.report is None:
        again = f"{program()} pretrain {shlex.quote(str(run))} --resume"
        console.print(f"Interrupted at step {finished.result.step}. Go on with: {again}", soft_wrap=True)
        raise typer.Exit(130)
    console.print(metrics_table(finished.metrics))
    if finished.forgetting is not None:
        show_forgetting(finished.forgetting, run, console)
    if skipped := len(SkippedList(run / "skipped.jsonl")):
        console.print(f"{skipped} samples could not be used; {run / 'skipped.jsonl'} lists them.", soft_wrap=True)
    console.print(f"Report: {finished.report}", soft_wrap=True)
    return finished


def show_forgetting(found: Forgetting, run: Path, console: Console) -> None:
    """What fine-tuning took away, and the weights between."""
    from tuwen.recipe.guard import INTERPOLATED
    from tuwen.report.forgetting import PICTURE, forgetting_table, mixed_table

    console.print(forgetting_table(found))
    if found.alpha is not None:
        console.print(mixed_table(found))
        console.print(f"Weights between, alpha {found.alpha:g}: {run / INTERPOLATED}", soft_wrap=True)
    console.print(f"Picture: {run / PICTURE}", soft_wrap=True)


def program() -> str:
    """How this program is called from here: by its name where the shell finds it, else by its path."""
    own = Path(sys.executable).with_name("tuwen")
    if shutil.which("tuwen") == str(own):
        return "tuwen"
    if not own.exists():
        return f"{shlex.quote(sys.executable)} -m tuwen"
    return shlex.quote(str(own.relative_to(Path.cwd()) if own.is_relative_to(Path.cwd()) else own))


def _folder(recipe: str) -> Path:
    """Where a run goes that was not told: the folder of the run that is gone on with, or one named as the recipe."""
    return Path(recipe) if _is_run(recipe) else Path("runs") / Path(recipe).stem


def _is_run(recipe: str) -> bool:
    """Whether a recipe is that of a run's folder."""
    from tuwen.recipe.library import recipe_names

    return recipe not in recipe_names() and Path(recipe).is_dir()
