"""`tuwen classify`: choose among labels."""

from __future__ import annotations

from typing import Annotated

import typer

from tuwen.cli._options import PictureFile, PictureText, Run

PANEL = "Use"


def command(
    run: Run,
    picture: PictureFile,
    labels: Annotated[
        list[str] | None, typer.Argument(help="Texts to choose among; the labels of training if none.")
    ] = None,
    text: PictureText = None,
) -> None:
    """Say which of some texts fits a picture best; no training for them is needed."""
    from tuwen.recipe.use import load

    if labels and text is not None:
        raise typer.BadParameter("labels are chosen among by the picture alone: leave --text out, or the labels.")
    described = {label: label for label in labels} if labels else None
    typer.echo(load(run).classify(picture, described, texts=text))
