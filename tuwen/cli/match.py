"""`tuwen match`: compare texts with a picture."""

from __future__ import annotations

from typing import Annotated

import typer

from tuwen.cli._options import PictureFile, Run

PANEL = "Use"


def command(
    run: Run,
    picture: PictureFile,
    texts: Annotated[list[str], typer.Argument(help="Texts that may belong to it.")],
) -> None:
    """Say how well texts belong to a picture, the best first. For models with a task `match`."""
    from tuwen.recipe.use import load

    scores = load(run).match([picture], texts)
    assert isinstance(scores, list)
    for score, text in sorted(zip(scores, texts, strict=True), key=lambda found: -found[0]):
        typer.echo(f"{score:8.3f}  {text}")
