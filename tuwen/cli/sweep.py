"""`tuwen sweep`: one recipe over a grid of settings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tuwen.recipe.sweep import Planned, SweepConfig

PANEL = "Train"


def command(
    sweep: Annotated[str, typer.Argument(help="A sweep's YAML file; or, with --grid, a recipe.")],
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=[…]", help=r"A setting and its values: 'model.fusion.kind=\[add,concat]'; several cross."
        ),
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds of the runs at every place, such as 0,1,2.")] = None,
    measure: Annotated[
        list[str] | None, typer.Option(metavar="FIGURE", help="A figure to compare, such as tasks.vqa.accuracy.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the sweep; by default runs/SWEEP.")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of every run.")
    ] = None,
) -> None:
    r"""Train a recipe at every place of a grid, with several seeds, and compare.

    tuwen sweep quickstart --grid "model.fusion.kind=\[add,concat]" --seeds 0,1,2

    Called again it goes on: what has ended is not trained again. Exits with 1 where a run failed.
    """
    from rich.console import Console
    from rich.markdown import Markdown

    from tuwen.recipe.sweep import sweep as run_sweep

    console = Console()
    folder = out or Path("runs") / Path(sweep).stem

    def tell(planned: Planned, number: int, count: int, said: str) -> None:
        where = f"{', '.join(planned.labels)}, seed {planned.seed}"
        console.print(f"{number}/{count}  {where}: {said}", soft_wrap=True, highlight=False, markup=False)

    found = run_sweep(_config(sweep, grid or [], seeds, measure or [], sets or []), folder, train_apart, tell)
    console.print(Markdown(found.markdown()))
    picture = f", picture: {folder / 'sweep.png'}" if found.drawn else ""
    console.print(f"Table: {folder / 'sweep.md'}{picture}", soft_wrap=True)
    if any(run.error for run in found.runs):
        raise typer.Exit(1)


def train_apart(recipe: Path, run: Path) -> None:
    """Train in a process of its own, so that nothing that goes wrong there stops the others.

    What it says goes to `output.txt` in the run's folder.

    Raises:
        RunFailed: with the last line that it said.
        KeyboardInterrupt: it was interrupted.
    """
    from tuwen.recipe.sweep import RunFailed

    run.mkdir(parents=True, exist_ok=True)
    output = run / "output.txt"
    command = [sys.executable, "-m", "tuwen", "pretrain", str(recipe), "--out", str(run), "--resume"]
    with output.open("ab") as file, subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT) as process:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            process.wait()  # Ctrl-C reaches it too: it saves and ends
            raise
    if status == 130:
        raise KeyboardInterrupt
    if status:
        lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise RunFailed(f"{lines[-1] if lines else 'it said nothing'} (status {status}; see {output})")


def _config(
    sweep: str, grid: Sequence[str], seeds: str | None, measure: Sequence[str], sets: Sequence[str]
) -> SweepConfig:
    """The sweep that the command line asks for; what it says stands above what a file says."""
    from tuwen.core.errors import RecipeError
    from tuwen.core.rooms import validate
    from tuwen.recipe.reading import read_value
    from tuwen.recipe.sweep import SweepConfig, read_sweep

    def pair(option: str, text: str) -> tuple[str, object]:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise RecipeError(f"{option} {text}: write a key and a value, such as {option} train.steps=100.")
        return key, read_value(value, f"{option} {text}")

    def crossed(texts: Sequence[str]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in (pair("--grid", text) for text in texts):
            if key in found:
                raise RecipeError(f"--grid {key}: it is there twice; write all of its values in one list.")
            found[key] = value
        return found

    said: dict[str, object] = {"set": dict(pair("--set", text) for text in sets)}
    if grid:
        said |= {"recipe": sweep, "grid": crossed(grid)}
    else:
        file = read_sweep(Path(sweep)).model_dump()
        said = file | {"set": file["set"] | said["set"]}
    if seeds is not None:
        said["seeds"] = read_value(f"[{seeds}]", "--seeds")
    if measure:
        said["measure"] = list(measure)
    return validate(SweepConfig, said, "" if grid else sweep)
