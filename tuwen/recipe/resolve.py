"""Settings checked against a schema and written out in full, each with where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import KeyPath, explain
from tuwen.recipe.reading import write_value
from tuwen.recipe.settings import Setting

S = TypeVar("S", bound=BaseModel)
DEFAULT = "default"
COMMENT_COLUMN = 56


@dataclass(frozen=True, slots=True)
class Resolved(Generic[S]):
    """Checked settings. `recipe` is typed and complete; `given` is what people set, with its origins."""

    recipe: S
    given: Setting

    def origin(self, path: KeyPath) -> str:
        """Where the value at `path` came from: a file and line, an option, or `default`."""
        setting, exact = self.given.find(path)
        inside = isinstance(setting.value, dict | list) and not exact
        return DEFAULT if inside else setting.origin

    def to_yaml(self, origins: bool = True) -> str:
        """The whole recipe, defaults included. With `origins`, a comment behind each value says where it came from."""
        lines = list(_lines(self.recipe.model_dump(mode="json"), (), ""))
        if not origins:
            return "".join(f"{text}\n" for text, _ in lines)
        column = min(COMMENT_COLUMN, max((len(text) for text, path in lines if path), default=0))
        return "".join(f"{text:{column}}  # {self.origin(path)}\n" if path else f"{text}\n" for text, path in lines)


def resolve(schema: type[S], given: Setting) -> Resolved[S]:
    """Check settings and fill in the defaults.

    Raises:
        RecipeError: with a line for each fault: where it was set, its key, and what to do.
    """
    try:
        return Resolved(schema.model_validate(given.plain()), given)
    except ValidationError as error:
        faults = [f"{given.find(path)[0].origin}: {'.'.join(map(str, path))}: {said}" for path, said in explain(error)]
        raise RecipeError("\n".join(faults)) from None


def _lines(values: dict[str, Any], path: tuple[str | int, ...], indent: str) -> Iterator[tuple[str, KeyPath]]:
    """Each line of block-style YAML, and the path of the value that it holds (empty where it opens a block)."""
    for key, value in values.items():
        here, name = (*path, key), f"{indent}{write_value(key)}:"
        if isinstance(value, dict) and value:
            yield name, ()
            yield from _lines(value, here, indent + "  ")
        elif isinstance(value, list) and any(isinstance(item, dict) and item for item in value):
            yield name, ()
            for place, item in enumerate(value):
                yield from _element(item, (*here, place), indent + "  ")
        else:
            yield f"{name} {write_value(value)}", here


def _element(item: Any, path: tuple[str | int, ...], indent: str) -> Iterator[tuple[str, KeyPath]]:
    if not isinstance(item, dict) or not item:
        yield f"{indent}- {write_value(item)}", path
        return
    for number, (text, below) in enumerate(_lines(item, path, indent + "  ")):
        yield text if number else f"{indent}- {text.lstrip()}", below
