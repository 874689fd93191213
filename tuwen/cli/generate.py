"""`tuwen generate`: let a language model go on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tuwen.cli._options import Run

PANEL = "Use"


def command(
    run: Run,
    prompt: Annotated[list[str], typer.Argument(help="Words and picture files, in any order and number.")],
    tokens: Annotated[int, typer.Option(min=0, help="Tokens at most.")] = 200,
    beams: Annotated[int, typer.Option(min=1, help="Hypotheses of a beam search; 1 takes the likeliest token.")] = 1,
    top_p: Annotated[
        float | None, typer.Option(min=0.01, max=1, help="Draw from the tokens that have this probability together.")
    ] = None,
    temperature: Annotated[float, typer.Option(min=0.01, help="Above 1 draws more freely, below 1 less.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
    stop: Annotated[list[str] | None, typer.Option(help="A string before which the text ends.")] = None,
) -> None:
    """Write what follows a prompt; a word of it that is the path of a file is a picture.

    tuwen generate runs/frozen dax.png "this is a dax." wug.png "this is a wug." new.png "this is a"
    """
    from tuwen.recipe.use import load

    parts = [_part(word) for word in prompt]
    how = {"max_new_tokens": tokens, "beams": beams, "top_p": top_p, "temperature": temperature, "seed": seed}
    model = load(run)
    if beams > 1:
        typer.echo(model.generate(parts, stop=stop or (), **how))
        return
    for piece in model.stream(parts, stop=stop or (), **how):
        typer.echo(piece, nl=False)
    typer.echo()


def _part(word: str) -> Path | str:
    """A picture where the word is the path of a file, which it cannot be if it is too long for one; else words.

    Raises:
        DataError: it ends like a picture's name, and there is no such file.
    """
    from tuwen.core.errors import DataError
    from tuwen.data import has_picture_suffix

    if os.path.isfile(word):
        return Path(word)
    if has_picture_suffix(word):
        raise DataError(f"{word}: there is no such picture. If these are words of the prompt, put a space behind them.")
    return word
