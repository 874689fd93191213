"""`tuwen pretrain`: train a recipe from scratch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PANEL = "Train"


def command(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, a YAML file, or a run folder.")] = "pretrain",
    data: Annotated[
        list[str] | None,
        typer.Option(help="A folder of pictures, tars, or a data set of the hub (owner/name); several are mixed."),
    ] = None,
    captions: Annotated[
        str | None, typer.Option(help="The CSV, TSV, JSONL or Parquet file that speaks of them.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; by default runs/RECIPE.")] = None,
    sets: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
) -> None:
    """Train a model on pictures and their texts, measure it, and show it on a page.

    tuwen pretrain --data photos/ --captions captions.csv --out runs/mine

    A run that was stopped goes on with: tuwen pretrain runs/mine --resume
    """
    from tuwen.cli._training import train

    train(recipe, data or [], captions, out, sets or [], resume)
