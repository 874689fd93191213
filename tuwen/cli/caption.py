"""`tuwen caption`: describe pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuwen.cli._options import Run

PANEL = "Use"


def command(
    run: Run,
    pictures: Annotated[list[Path], typer.Argument(help="Picture files.")],
    language: Annotated[str, typer.Option(help="Language of the captions: en, zh.")] = "en",
) -> None:
    """Describe pictures in words."""
    from tuwen.recipe.use import load

    model = load(run)
    for picture, caption in zip(pictures, model.caption(list(pictures), language), strict=True):
        typer.echo(f"{picture}: {caption}" if len(pictures) > 1 else caption)
