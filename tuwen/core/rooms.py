"""Parts: a file's name is a part's name.

`build_part("towers.image", {"kind": "vit", "depth": 6}, context)` imports `tuwen/towers/image/vit.py`, and only that
file, checks the rest of the mapping against its `Config`, and calls its `build(config, context)`. A part from another
package is found through the entry-point group `tuwen.<room>`; nothing that stands in a recipe is ever imported by path,
so a downloaded recipe cannot name code to run.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tuwen.core.errors import RecipeError

C = TypeVar("C", bound=BaseModel)


class PartConfig(BaseModel):
    """Base of every part's `Config`: immutable, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def names(room: str) -> list[str]:
    """The parts of a room (`towers.image`), built in and installed, sorted."""
    package = importlib.import_module(f"tuwen.{room}")
    own = {info.name for info in pkgutil.iter_modules(package.__path__) if not info.ispkg and info.name[0] != "_"}
    return sorted(own | {point.name for point in entry_points(group=f"tuwen.{room}")})


def find_part(room: str, kind: str) -> ModuleType:
    """The module of one part.

    Raises:
        RecipeError: the room has no such part; the message lists those it has and the nearest.
    """
    known = names(room)
    if kind not in known:
        raise RecipeError(f"no part {kind!r} in {room}: there are {', '.join(known)}.{nearest(kind, known)}")
    for point in entry_points(group=f"tuwen.{room}", name=kind):
        return importlib.import_module(point.value)
    return importlib.import_module(f"tuwen.{room}.{kind}")


def parse_part(room: str, spec: Mapping[str, Any], where: str = "") -> tuple[ModuleType, PartConfig]:
    """The module and the validated `Config` that `{"kind": ..., ...}` names. `where` is the recipe key, for messages.

    Raises:
        RecipeError: no `kind`, an unknown part, or a setting that its `Config` refuses.
    """
    settings = dict(spec)
    kind = settings.pop("kind", None)
    if not isinstance(kind, str):
        raise RecipeError(f"{where or room}: say which part with `kind:`; there are {', '.join(names(room))}.")
    module = find_part(room, kind)
    return module, validate(module.Config, settings, where or f"{room}.{kind}")


def build_part(room: str, spec: Mapping[str, Any], context: Any = None, where: str = "") -> Any:
    """Build the part that `{"kind": ..., ...}` names."""
    module, config = parse_part(room, spec, where)
    return module.build(config, context)


def validate(config: type[C], settings: Mapping[str, Any], where: str) -> C:
    """Check settings against a `Config`, and say in the user's terms what does not fit.

    Raises:
        RecipeError: with one line a fault, naming the key, and the nearest known key for a misspelt one.
    """
    try:
        return config.model_validate(dict(settings))
    except ValidationError as error:
        lines = [_explain(config, fault, where) for fault in error.errors()]
        raise RecipeError("\n".join(lines)) from None


def nearest(word: str, known: list[str]) -> str:
    """` Did you mean 'x'?`, or nothing where no known word is close."""
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _explain(config: type[BaseModel], fault: Any, where: str) -> str:
    path = ".".join(str(key) for key in fault["loc"])
    key = f"{where}.{path}" if path and where else where or path
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        known = list(config.model_fields)
        return f"{key}: unknown key; known are {', '.join(known)}.{nearest(path, known)}"
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    return f"{key}: {fault['msg'].lower()}, got {fault['input']!r}"
