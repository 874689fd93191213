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
    language: Annotated[
        str | None, typer.Option(help="Language of the captions: en, zh; by default English, if the model knows it.")
    ] = None,
) -> None:
    """Describe pictures in words. Exits with 1 where one of them cannot be used; the others are described."""
    from tuwen.core.errors import SampleError
    from tuwen.recipe.use import load

    model = load(run)
    shown, broken = {}, {}
    for number, picture in enumerate(pictures):
        try:
            shown[number] = model.predictor.prepare(picture)
        except SampleError as error:
            broken[number] = error
    captions = dict(zip(shown, model.caption(list(shown.values()), language), strict=True))
    for number, picture in enumerate(pictures):
        if number in broken:
            typer.echo(broken[number], err=True)
        else:
            typer.echo(f"{picture}: {captions[number]}" if len(pictures) > 1 else captions[number])
    if broken:
        raise typer.Exit(1)
