"""YAML means what people think it means, and never more."""

from typing import Any

import pytest
import yaml

from tuwen.core.errors import RecipeError
from tuwen.recipe.reading import read_value, read_yaml, write_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("3E4", 3e4),
        ("-.5", -0.5),
        ("2.", 2.0),
        (".inf", float("inf")),
        ("-.inf", float("-inf")),
        ("12", 12),
        ("+3", 3),
        ("010", 10),
        ("1_000_000", 1_000_000),
        ("0x1F", 31),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("12:30", "12:30"),
        ("2024-01-31", "2024-01-31"),
        ("null", None),
        ("~", None),
        ("", None),
        ("''", ""),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
        ("图文", "图文"),
        ("[1, a, {b: 2}]", [1, "a", {"b": 2}]),
        ("{1: a, true: b}", {"1": "a", "true": "b"}),
    ],
)
def test_a_value_is_read_as_people_mean_it(text: str, value: Any) -> None:
    read = read_value(text, "here")
    assert read == value
    assert type(read) is type(value)


NUMBERS = [1e-5, 1e22, 0.1, float("inf"), -3, True, None]
MISTAKABLE = ["1e-5", "no", "true", "null", "~", "", "0x1F", "1_0", "2024-01-31", "12:30"]
AWKWARD = [" a ", "# a", "a: b", "a\nb", "\t", "it's", '"', "\\", "\x07", "中文，图"]
NESTED = [[], {}, [1, [2], {"a": None}], {"a b": "c, d"}]


@pytest.mark.parametrize("value", [*NUMBERS, *MISTAKABLE, *AWKWARD, *NESTED])
def test_what_is_written_is_read_back(value: Any) -> None:
    text = write_value(value)
    assert "\n" not in text
    assert read_value(text, "here") == value
    assert read_yaml(f"key: {text}  # a comment", "here").plain() == {"key": value}
    assert yaml.safe_load(text) == value, "readers of YAML 1.1 agree"


def test_every_key_and_element_knows_its_line() -> None:
    setting = read_yaml("a: 1\n\nb:\n  c:\n    - 2\n    - d: 3\n", "r.yaml")
    paths: list[tuple[str | int, ...]] = [("a",), ("b",), ("b", "c"), ("b", "c", 0), ("b", "c", 1, "d")]
    origins = [setting.find(path)[0].origin for path in paths]
    assert origins == ["r.yaml:1", "r.yaml:3", "r.yaml:4", "r.yaml:5", "r.yaml:6"]


def test_an_empty_file_is_an_empty_recipe() -> None:
    assert read_yaml("# nothing\n", "r.yaml").plain() == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb:\n  c: 2\n  c: 3\n", r"r.yaml:4: 'c' stands here for the second time \(first: r.yaml:3\)"),
        ("a: &x {b: 1}\nc: *x\n", r"r.yaml:2: .*`extends`, not by anchors"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", r"r.yaml:2: the tag .*os.system' is refused"),
        ("a: !secret x\n", r"r.yaml:1: the tag '!secret' is refused"),
        ("a: !!set {b, c}\n", r"r.yaml:1: the tag"),
        ("a: !!int x\n", r"r.yaml:1: 'x' cannot be read as int"),
        ("a: !!bool maybe\n", r"r.yaml:1: 'maybe' cannot be read as bool"),
        ("a: 1\nb: [1, 2\n", r"r.yaml:3: not valid YAML: .*flow sequence"),
        ("a: 1\n\tb: 2\n", r"r.yaml:2: not valid YAML"),
        ("a: 1\n---\nb: 2\n", r"r.yaml:2: not valid YAML: .*single document"),
        ("- a\n- b\n", r"r.yaml: a recipe is a mapping .* not list"),
        ("just words\n", r"r.yaml: a recipe is a mapping .* not str"),
        ("? [a, b]\n: 1\n", r"r.yaml:1: a key is a word"),
        ("a: \x00", r"r.yaml: not valid YAML"),
        ("[" * 5000, r"r.yaml: not valid YAML"),
    ],
)
def test_what_is_not_a_recipe_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_yaml(text, "r.yaml")
