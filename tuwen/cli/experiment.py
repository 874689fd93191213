"""`tuwen experiment`: a paper's experiment with its controls."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from tuwen.cli._options import Sets

PANEL = "Train"
command = typer.Typer(help="Experiments of papers, with their controls.")


@command.callback()
def _experiment() -> None:
    """Keeps `frozen` a command of its own, though it is the only one."""


@command.command("frozen")
def frozen(
    out: Annotated[Path, typer.Option(help="Folder of the runs and results.")] = Path("runs/experiment-frozen"),
    quick: Annotated[bool, typer.Option("--quick", help="A smaller one, that shows the same signs.")] = False,
    controls: Annotated[
        bool, typer.Option(help="Also the fine-tuned language model, and one that was never pretrained.")
    ] = True,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Bind words to the pictures of this folder too; its subfolders say what is alike."),
    ] = None,
    sets: Sets = None,
) -> None:
    """Let a frozen language model see, and bind new words to pictures from a few examples (Tsimpoukelli et al. 2021).

    Called again it goes on: what has ended is not trained again. --set changes the recipe `frozen` of every arm.
    Exits with 130 if interrupted.
    """
    from rich.console import Console
    from rich.markdown import Markdown

    from tuwen.cli._training import program
    from tuwen.experiments.frozen import run
    from tuwen.experiments.runs import Interrupted
    from tuwen.train.listeners import ProgressBar

    console = Console()
    try:
        run(out, quick, sets or (), controls, pictures, [ProgressBar(console)], console.print)
    except Interrupted as interrupted:
        again = f"{program()} {shlex.join(_words(out, quick, controls, pictures, sets or []))}"
        console.print(f"{interrupted} Go on with: {again}", soft_wrap=True, highlight=False, markup=False)
        raise typer.Exit(130) from None
    console.print(Markdown((out / "results.md").read_text(encoding="utf-8")))
    console.print(f"Table and picture: {out / 'results.md'}, {out / 'results.png'}", soft_wrap=True)


def _words(out: Path, quick: bool, controls: bool, pictures: Path | None, sets: list[str]) -> list[str]:
    """What was called, to be called again."""
    words = ["experiment", "frozen", "--out", str(out)]
    words += ["--quick"] if quick else []
    words += [] if controls else ["--no-controls"]
    words += [] if pictures is None else ["--pictures", str(pictures)]
    return words + [word for setting in sets for word in ("--set", setting)]
