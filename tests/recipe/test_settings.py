"""Merging: what replaces what, and where each value came from."""

from typing import Any

import pytest

from tuwen.recipe.settings import Setting


def merged(low: Any, high: Any) -> Setting:
    return Setting.given(high, "high").over(Setting.given(low, "low"))


@pytest.mark.parametrize(
    ("low", "high", "result"),
    [
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [1, 2, 3]}, {"a": [4]}, {"a": [4]}),
        ({"a": [1, 2, 3]}, {"a": {"1": 5}}, {"a": [1, 5, 3]}),
        ({"a": [{"kind": "x", "w": 1}]}, {"a": {"0": {"w": 2}}}, {"a": [{"kind": "x", "w": 2}]}),
        ({"a": [1, 2, 3]}, {"a": {"3": 5}}, {"a": {"3": 5}}),
        ({"p": {"kind": "vit", "d": 1}}, {"p": {"d": 2}}, {"p": {"kind": "vit", "d": 2}}),
        ({"p": {"kind": "vit", "d": 1}}, {"p": {"kind": "vit", "e": 2}}, {"p": {"kind": "vit", "d": 1, "e": 2}}),
        ({"p": {"kind": "vit", "d": 1}}, {"p": {"kind": "cnn", "e": 2}}, {"p": {"kind": "cnn", "e": 2}}),
        ({"p": {"w": 1}}, {"p": {"kind": "cnn"}}, {"p": {"w": 1, "kind": "cnn"}}),
    ],
)
def test_merging(low: Any, high: Any, result: Any) -> None:
    before = Setting.given(low, "low")
    assert Setting.given(high, "high").over(before).plain() == result
    assert before.plain() == low, "merging changes neither layer"


def test_merging_is_associative() -> None:
    layers = [{"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}}, {"a": {"e": 5}, "d": None}]
    low, middle, high = (Setting.given(values, str(number)) for number, values in enumerate(layers))
    assert high.over(middle).over(low) == high.over(middle.over(low))


def test_each_value_keeps_its_origin() -> None:
    setting = merged({"a": {"b": 1, "c": 2}, "l": [1, 2]}, {"a": {"c": 3}, "l": {"0": 9}})
    paths: list[tuple[str | int, ...]] = [("a", "b"), ("a", "c"), ("l", 0), ("l", 1)]
    assert [setting.find(path)[0].origin for path in paths] == ["low", "high", "high", "low"]


def test_find_falls_back_to_what_is_above() -> None:
    setting = Setting({"a": Setting({"b": Setting(1, "here")}, "above")}, "top")
    assert setting.find(("a", "b")) == (Setting(1, "here"), True)
    assert setting.find(("a", "x", 0))[0].origin == "above"
    assert setting.find(("a", "b", "deeper")) == (Setting(1, "here"), False)
    assert setting.find(("x",))[0].origin == "top"
