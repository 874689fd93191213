"""The layers of a recipe, lowest first: the recipe that it extends, the recipe's file, options, `--set`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tuwen.core.errors import RecipeError
from tuwen.recipe.library import display, find_recipe
from tuwen.recipe.reading import read_value, read_yaml
from tuwen.recipe.settings import Setting
from tuwen.train.config import LENGTHS


def read_file(file: Path, chain: tuple[Path, ...] = ()) -> Setting:
    """A recipe file on top of the recipe that it extends.

    Raises:
        RecipeError: a file that cannot be read, is not a recipe, or extends itself in the end.
    """
    layer = read_yaml(_text(file), display(file))
    extends = layer.value.pop("extends", None)
    if extends is None:
        return layer
    place = f"{extends.origin}: extends"
    if not isinstance(extends.value, str):
        raise RecipeError(f"{place}: name one recipe or file, got {extends.plain()!r}.")
    try:
        base = find_recipe(extends.value, beside=file.parent)
    except RecipeError as error:
        raise RecipeError(f"{place}: {error}") from None
    chain = (*chain, file.resolve())
    if base.resolve() in chain:
        circle = " → ".join(display(link) for link in (*chain, base))
        raise RecipeError(f"{place}: the recipes extend each other in a circle: {circle}.")
    return layer.over(read_file(base, chain))


def read_sets(sets: Iterable[str]) -> Setting:
    """What `--set a.b=c` says, the later on top of the earlier; of the lengths of a training, the last alone.

    Raises:
        RecipeError: no `=`, an empty key, or a value that is not YAML.
    """
    layer = Setting({}, "--set")
    for text in sets:
        key, equals, value = text.partition("=")
        words = key.strip().split(".")
        if not equals or not all(words):
            raise RecipeError(f"--set {text}: write a key and a value, such as --set train.steps=100.")
        settings: Any = read_value(value, f"--set {text}")
        for word in reversed(words):
            settings = {word: settings}
        layer = alone(Setting.given(settings, "--set")).over(layer)
    return layer


def alone(given: Setting) -> Setting:
    """What was given; where that is a length of the training, in place of any other length below it."""
    train = given.value.get("train")
    lengths = train.value.keys() & set(LENGTHS) if train is not None and isinstance(train.value, dict) else set()
    if not any(train.value[name].value is not None for name in lengths):
        return given
    return given.over(Setting.given({"train": dict.fromkeys(LENGTHS)}, given.origin))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{display(file)}: not UTF-8 text (byte {error.start}); save it as UTF-8.") from None
    except OSError as error:
        raise RecipeError(f"{display(file)}: cannot be read: {error.strerror}.") from None
