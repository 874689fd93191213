"""Recipes by name: those that come with Tuwen, files, and the recipe inside a run folder."""

from __future__ import annotations

from pathlib import Path

import tuwen
from tuwen.core.errors import RecipeError
from tuwen.core.rooms import nearest

RUN_RECIPE = "recipe.yaml"
"""The resolved recipe in a run folder."""

_PACKAGE = Path(tuwen.__file__).parent


def library() -> Path:
    """The folder of the recipes that come with Tuwen: inside an installed package, beside the package in a checkout."""
    inside = _PACKAGE / "recipes"
    return inside if inside.is_dir() else _PACKAGE.parent / "recipes"


def recipe_names() -> list[str]:
    """The recipes that come with Tuwen, sorted."""
    return sorted(file.stem for file in library().glob("*.yaml"))


def describe(name: str) -> str:
    """What a recipe of the library says of itself: its first comment line."""
    with find_recipe(name).open(encoding="utf-8") as file:
        first = file.readline().strip()
    return first.lstrip("# ") if first.startswith("#") else ""


def find_recipe(name: str | Path, beside: Path | None = None) -> Path:
    """The file of a recipe.

    Args:
        name: a recipe of the library (`quickstart`), a YAML file, or a run folder.
        beside: the folder from which a relative path is taken; the working folder where None.

    Raises:
        RecipeError: there is none; the message lists the library and the nearest name.
    """
    if str(name) in recipe_names():
        return library() / f"{name}.yaml"
    path = (beside or Path()) / name
    file = path / RUN_RECIPE if path.is_dir() else path
    if file.is_file():
        return file
    known = recipe_names()
    raise RecipeError(
        f"no recipe {str(name)!r}: no such file, and the recipes that come with Tuwen are {', '.join(known)}."
        f"{nearest(str(name), known)}"
    )


def display(file: Path) -> str:
    """A recipe's file as messages name it: short, and such that a person finds it."""
    resolved = file.resolve()
    if resolved.parent == library().resolve():
        return f"recipes/{file.name}"
    working = Path.cwd()
    return str(resolved.relative_to(working)) if resolved.is_relative_to(working) else str(resolved)
