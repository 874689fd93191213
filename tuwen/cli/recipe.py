"""`tuwen recipe list`, `tuwen recipe show`."""

from __future__ import annotations

from typing import Annotated

import typer

from tuwen.cli._options import Captions, Data, MaybeRecipe, Sets

PANEL = "Look inside"
command = typer.Typer(help="The recipes, and what they resolve to.")


@command.command("list")
def list_recipes() -> None:
    """List the recipes that come with Tuwen."""
    from tuwen.recipe.library import describe, recipe_names

    names = recipe_names()
    width = max(map(len, names), default=0)
    for name in names:
        typer.echo(f"{name:{width}}  {describe(name)}".rstrip())


@command.command("show")
def show(
    recipe: MaybeRecipe = None,
    data: Data = None,
    captions: Captions = None,
    sets: Sets = None,
    origins: Annotated[bool, typer.Option(help="Say behind each value where it came from.")] = True,
) -> None:
    """Print a recipe in full: every setting and default, and where each value came from.

    What is printed is a recipe itself: tuwen recipe show quickstart > mine.yaml
    """
    from tuwen.cli._training import chosen, load

    for line in load(chosen(recipe, data, captions), data or [], captions, sets or []).to_yaml(origins).splitlines():
        setting, mark, comment = line.rpartition("  # ")
        typer.echo(setting + typer.style(mark + comment, dim=True) if mark else line)
