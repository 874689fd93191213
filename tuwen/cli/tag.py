"""`tuwen tag`: any number of tags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuwen.cli._options import Run

PANEL = "Use"


def command(
    run: Run,
    picture: Annotated[Path, typer.Argument(help="A picture file.")],
    text: Annotated[
        str | None, typer.Option(help="What is said of the picture, for a model that reads both together.")
    ] = None,
) -> None:
    """Say which tags fit a picture, one a line; there may be none. For models with a task `tag`."""
    from tuwen.recipe.use import load

    for name in load(run).tag(picture, texts=text):
        typer.echo(name)
