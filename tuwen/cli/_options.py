"""Arguments and options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipeName = Annotated[str, typer.Argument(help="A recipe's name, a YAML file, or a run folder.")]
MaybeRecipe = Annotated[
    str | None,
    typer.Argument(
        help="A recipe's name, a YAML file, or a run folder; else quickstart, or pretrain for data of one's own."
    ),
]
Run = Annotated[Path, typer.Argument(help="Folder of a trained model.")]
PictureFile = Annotated[Path, typer.Argument(help="A picture file.")]
PictureText = Annotated[
    str | None, typer.Option(help="What is said of the picture, for a model that reads both together.")
]
Data = Annotated[
    list[str] | None,
    typer.Option(help="A folder of pictures, tars, or a data set of the hub (owner/name); several are mixed."),
]
Captions = Annotated[
    str | None, typer.Option(help="The CSV, TSV, JSON, JSON Lines or Parquet file that speaks of them.")
]
Out = Annotated[Path | None, typer.Option(help="Folder of the run; by default runs/RECIPE.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")]
