"""`tuwen data check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuwen.cli._options import Captions, Data, RecipeName, Sets

PANEL = "Look inside"
command = typer.Typer(help="Look at data before training on it.")


@command.callback()
def _data() -> None:
    """Keeps `check` a command of its own, though it is the only one."""


@command.command("check")
def check(
    recipe: RecipeName = "pretrain",
    data: Data = None,
    captions: Captions = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("runs/check"),
    sets: Sets = None,
    pictures: Annotated[
        int, typer.Option(min=0, help="Pictures to decode in each split, evenly spread; 0 for all.")
    ] = 2000,
) -> None:
    """See what training would meet: what cannot be used, what the texts are like, and a batch as the model gets it.

    tuwen data check --data photos/ --captions captions.csv

    Exits with 1 where training would be refused.
    """
    from rich.console import Console

    from tuwen.check.check import check as look
    from tuwen.check.show import show
    from tuwen.cli._training import load

    findings = look(load(recipe, data or [], captions, sets or []).recipe, out, pictures)
    show(findings, Console())
    if findings.refused is not None:
        raise typer.Exit(1)
