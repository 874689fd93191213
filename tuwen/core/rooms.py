"""Parts: a file's name is a part's name.

`build_part("towers.image", {"kind": "vit", "depth": 6}, context)` imports `tuwen/towers/image/vit.py`, and only that
file, checks the rest of the mapping against its `Config`, and calls its `build(config, context)`. A part from another
package is found through the entry-point group `tuwen.<room>`; nothing that stands in a recipe is ever imported by path,
so a downloaded recipe cannot name code to run.

A setting that names a part is annotated `Annotated[PartSpec, PartOf("towers.image")]`: checking the setting then checks
the part's own settings, at any depth, and fills in their defaults.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from tuwen.core.errors import RecipeError

C = TypeVar("C", bound=BaseModel)

PartSpec = dict[str, Any]
"""`{"kind": ..., setting: ...}` as it stands in a recipe."""

KeyPath = tuple[str | int, ...]
"""Where a setting stands: `("data", "sources", 0, "path")`."""

SAID = "said"
"""pydantic's type of a fault that is already told in the user's terms."""


class PartConfig(BaseModel):
    """Base of every part's `Config`: immutable, and unknown keys are refused with the nearest known one."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_unknown(cls, settings: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        known = list(cls.model_fields)
        unknown = [key for key in settings if key not in known] if isinstance(settings, dict) else []
        if not unknown:
            return handler(settings)
        said: list[tuple[KeyPath, str]] = [((key,), _unknown(str(key), known)) for key in unknown]
        try:
            handler({key: value for key, value in settings.items() if key in known})
        except ValidationError as error:
            said += explain(error)
        raise ValidationError.from_exception_data(cls.__name__, [_fault(path, words) for path, words in said])


def names(room: str) -> list[str]:
    """The parts of a room (`towers.image`), built in and installed, sorted."""
    return sorted(_own(room) | {point.name for point in entry_points(group=f"tuwen.{room}")})


def find_part(room: str, kind: str) -> ModuleType:
    """The module of one part. A built-in part hides an installed one of the same name.

    Raises:
        RecipeError: the room has no such part (the message lists those it has and the nearest), or the part needs a
            package that is not installed.
    """
    known = names(room)
    if kind not in known:
        raise RecipeError(f"no part {kind!r} in {room}: there are {', '.join(known)}.{nearest(kind, known)}")
    path = f"tuwen.{room}.{kind}" if kind in _own(room) else entry_points(group=f"tuwen.{room}")[kind].value
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or path.startswith(error.name):
            raise
        raise RecipeError(f"part {kind!r} in {room} needs the package {error.name!r}: pip install it.") from error


def parse_part(room: str, spec: Mapping[str, Any], where: str = "") -> tuple[ModuleType, PartConfig]:
    """The module and the validated `Config` that `{"kind": ..., ...}` names. `where` is the recipe key, for messages.

    Raises:
        RecipeError: no `kind`, an unknown part, or a setting that its `Config` refuses.
    """
    settings = dict(spec)
    try:
        module = find_part(room, _kind(room, settings.pop("kind", None)))
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}" if where else str(error)) from None
    return module, validate(module.Config, settings, where or f"{room}.{spec['kind']}")


def build_part(room: str, spec: Mapping[str, Any], context: Any = None, where: str = "") -> Any:
    """Build the part that `{"kind": ..., ...}` names."""
    module, config = parse_part(room, spec, where)
    return module.build(config, context)


@dataclass(frozen=True, slots=True)
class PartOf:
    """Marks a setting that names a part of `room`: it is checked by that part, and its defaults are filled in."""

    room: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.complete, handler(source))

    def complete(self, spec: PartSpec) -> PartSpec:
        """The same part with every setting written out, as plain values that JSON and YAML can hold."""
        settings = dict(spec)
        kind = settings.pop("kind", None)
        try:
            module = find_part(self.room, _kind(self.room, kind))
        except RecipeError as error:
            raise PydanticCustomError(SAID, "{words}", {"words": str(error)}) from None
        return {"kind": kind, **module.Config.model_validate(settings).model_dump(mode="json")}


def validate(config: type[C], settings: Mapping[str, Any], where: str) -> C:
    """Check settings against a `Config`, and say in the user's terms what does not fit.

    Raises:
        RecipeError: with one line a fault, naming the key, and the nearest known key for a misspelt one.
    """
    try:
        return config.model_validate(dict(settings))
    except ValidationError as error:
        prefix = (where,) if where else ()
        lines = [".".join(map(str, (*prefix, *path))) + f": {fault}" for path, fault in explain(error)]
        raise RecipeError("\n".join(lines)) from None


def explain(error: ValidationError) -> list[tuple[KeyPath, str]]:
    """The faults that pydantic found, each as the path of its key and a sentence for the user."""
    return [(fault["loc"], _sentence(fault)) for fault in error.errors()]


def nearest(word: str, known: list[str]) -> str:
    """` Did you mean 'x'?`, or nothing where no known word is close."""
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _own(room: str) -> set[str]:
    package = importlib.import_module(f"tuwen.{room}")
    return {info.name for info in pkgutil.iter_modules(package.__path__) if not info.ispkg and info.name[0] != "_"}


def _kind(room: str, kind: Any) -> str:
    if not isinstance(kind, str):
        raise RecipeError(f"say which part with `kind:`; {room} has {', '.join(names(room))}.")
    return kind


def _unknown(key: str, known: list[str]) -> str:
    return f"unknown key; known are {', '.join(known) or 'none'}.{nearest(key, known)}"


def _fault(path: KeyPath, words: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError(SAID, "{words}", {"words": words}), loc=path, input=None)


def _sentence(fault: Any) -> str:
    if fault["type"] == SAID:
        return str(fault["ctx"]["words"])
    if fault["type"] == "missing":
        return "is missing"
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    message: str = fault["msg"]
    return f"{message[0].lower()}{message[1:]}, got {reprlib.repr(fault['input'])}"
