"""`tuwen answer`: answer questions about a picture."""

from __future__ import annotations

from typing import Annotated

import typer

from tuwen.cli._options import PictureFile, Run

PANEL = "Use"


def command(
    run: Run,
    picture: PictureFile,
    questions: Annotated[list[str], typer.Argument(help="Questions about it.")],
) -> None:
    """Answer questions about a picture."""
    from tuwen.recipe.use import load

    for question, answer in zip(questions, load(run).answer(picture, list(questions)), strict=True):
        typer.echo(f"{question} {answer}" if len(questions) > 1 else answer)
