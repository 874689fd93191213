"""`tuwen recipe list`, `tuwen recipe show`."""

from __future__ import annotations

from typing import Annotated

import typer

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
    recipe: Annotated[str, typer.Argument(help="A recipe's name, a YAML file, or a run folder.")] = "quickstart",
    sets: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")] = None,
    origins: Annotated[bool, typer.Option(help="Say behind each value where it came from.")] = True,
) -> None:
    """Print a recipe in full: every setting and default, and where each value came from.

    What is printed is a recipe itself: tuwen recipe show quickstart > mine.yaml
    """
    from tuwen.recipe.schema import load_recipe

    for line in load_recipe(recipe, sets=sets or ()).to_yaml(origins).splitlines():
        setting, mark, comment = line.rpartition("  # ")
        typer.echo(setting + typer.style(mark + comment, dim=True) if mark else line)
