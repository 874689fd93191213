"""`tuwen tag`: any number of tags."""

from __future__ import annotations

import typer

from tuwen.cli._options import PictureFile, PictureText, Run

PANEL = "Use"


def command(run: Run, picture: PictureFile, text: PictureText = None) -> None:
    """Say which tags fit a picture, one a line; there may be none. For models with a task `tag`."""
    from tuwen.recipe.use import load

    for name in load(run).tag(picture, texts=text):
        typer.echo(name)
