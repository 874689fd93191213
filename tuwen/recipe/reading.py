"""YAML as people mean it: YAML 1.2's core schema, no code, no repeated keys, and a line for every key.

YAML 1.1, which PyYAML follows, reads `no`, `on` and `off` as booleans (so Norwegian is False), `1e-3` as text, `010` as
8 and `12:30` as 750. Here only `true` and `false` are booleans, `1e-3` is a number, and the rest is text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import yaml

from tuwen.core.errors import RecipeError
from tuwen.recipe.settings import Setting

NULL, BOOL, INT, FLOAT, STR, SEQ, MAP = (
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")
)
_RESOLVERS = (
    (NULL, r"~|null|Null|NULL|", "~nN"),
    (BOOL, r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (INT, r"[-+]?[0-9]+(_[0-9]+)*|0x[0-9a-fA-F]+", "-+0123456789"),
    (FLOAT, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", "-+.0123456789"),
)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's idea of what is not text."""

    yaml_implicit_resolvers = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            problem = "a recipe shares settings by `extends`, not by anchors and aliases"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """Quotes whatever a reader of YAML 1.1 or of 1.2 would not take for text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar(STR, data, style=None if data.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.represent_str)

for _tag, _pattern, _first in _RESOLVERS:
    for _end in (_Loader, _Dumper):
        _end.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), [*_first, *([""] if _tag == NULL else [])])


def read_yaml(text: str, name: str) -> Setting:
    """A recipe's text as settings that know their line.

    Args:
        text: one YAML document whose top is a mapping.
        name: the file, for messages.

    Raises:
        RecipeError: not YAML, not a mapping, a key twice, an alias or a tag; the message gives the line.
    """
    node = _compose(text, name)
    if node is None:
        return Setting({}, name)
    setting = _setting(node, name)
    if not isinstance(setting.value, dict):
        raise RecipeError(f"{name}: a recipe is a mapping of keys to settings, not {type(setting.value).__name__}.")
    return setting


def read_value(text: str, name: str) -> Any:
    """One plain YAML value, as given after `--set key=`.

    Raises:
        RecipeError: not a YAML value.
    """
    node = _compose(text, name)
    return None if node is None else _setting(node, name).plain()


def write_value(value: Any) -> str:
    """A plain value on one line, so that `read_value` gives it back."""
    text = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _compose(text: str, name: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise RecipeError(f"{place}: not valid YAML: {said}.") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"{name}: not valid YAML: {error}.") from None


def _setting(node: yaml.Node, name: str) -> Setting:
    place = f"{name}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.MappingNode) and node.tag == MAP:
        return Setting(_mapping(node, name), place)
    if isinstance(node, yaml.SequenceNode) and node.tag == SEQ:
        return Setting([_setting(item, name) for item in node.value], place)
    if isinstance(node, yaml.ScalarNode) and node.tag in _READERS:
        return Setting(_scalar(node, place), place)
    raise RecipeError(f"{place}: the tag {node.tag!r} is refused: a recipe holds plain values only.")


def _mapping(node: yaml.MappingNode, name: str) -> dict[str, Setting]:
    values: dict[str, Setting] = {}
    for key, value in node.value:
        place = f"{name}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise RecipeError(f"{place}: a key is a word, not a list or a mapping.")
        if key.value in values:
            raise RecipeError(
                f"{place}: {key.value!r} stands here for the second time (first: {values[key.value].origin})."
            )
        values[key.value] = replace(_setting(value, name), origin=place)
    return values


def _scalar(node: yaml.ScalarNode, place: str) -> Any:
    try:
        return _READERS[node.tag](node.value)
    except ValueError:
        raise RecipeError(f"{place}: {node.value!r} cannot be read as {node.tag.rpartition(':')[2]}.") from None


def _bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


_READERS: dict[str, Callable[[str], Any]] = {
    NULL: lambda _: None,
    BOOL: _bool,
    INT: lambda text: int(text, 16 if "x" in text else 10),
    FLOAT: lambda text: float(text.replace(".inf", "inf").replace(".nan", "nan")),
    STR: str,
}
