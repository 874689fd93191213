"""How every claim begins and ends: its options, a recipe trained in a temporary folder, and one line of JSON with what
was measured, what was asked, and whether it holds."""

from __future__ import annotations

import argparse
import json
import operator
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuwen.recipe.resolve import Resolved
    from tuwen.recipe.schema import Recipe

_TESTS = {">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt}


def options(description: str | None, of: str = "the recipe") -> argparse.ArgumentParser:
    """A parser that knows `--set KEY=VALUE`, which becomes the list `sets`. of: what it changes, for the help."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE", help=f"of {of}")
    return parser


def trained(recipe: Resolved[Recipe]) -> dict[str, Any]:
    """Train a recipe in a temporary folder, showing its progress. Returns the run's metrics."""
    from tuwen.recipe.run import pretrain
    from tuwen.train.listeners import ProgressBar

    with tempfile.TemporaryDirectory() as temporary:
        return pretrain(recipe, Path(temporary), listeners=[ProgressBar()]).metrics


def report(name: str, values: Mapping[str, Any], asked: Mapping[str, str], seconds: float) -> None:
    """Print the claim's line, and exit with status 1 where it does not hold.

    Args:
        values: what was measured, nested or flat.
        asked: for a key of `values` (dots lead into nested ones) a condition: `">= 0.95"`, `"== true"`.
        seconds: how long measuring took.

    Raises:
        KeyError: a condition is on a value that was not measured.
        ValueError: a condition cannot be read.
    """
    holds = all(meets(_look_up(values, key), condition) for key, condition in asked.items())
    line = {"claim": name, "values": values, "asked": asked, "holds": holds, "seconds": round(seconds, 1)}
    print(json.dumps(line, ensure_ascii=False), flush=True)
    if not holds:
        sys.exit(1)


def meets(value: Any, condition: str) -> bool:
    """Whether a value meets a condition such as `">= 0.95"`; a value that is not a number meets no bound."""
    sign, _, bound = condition.strip().partition(" ")
    if sign not in _TESTS or not bound:
        raise ValueError(f"cannot read the condition {condition!r}: write one of {', '.join(_TESTS)}, a space, a value")
    return bool(_TESTS[sign](value, json.loads(bound)))


def _look_up(values: Mapping[str, Any], key: str) -> Any:
    found: Any = values
    for step in key.split("."):
        if not isinstance(found, Mapping) or step not in found:
            raise KeyError(f"{key} is asked for but was not measured")
        found = found[step]
    return found
