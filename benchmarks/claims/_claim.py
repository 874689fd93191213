"""How every claim begins and ends: its options, a recipe trained, at once or in pieces, and one line of JSON with what
was measured, what was asked, and whether it holds."""

from __future__ import annotations

import argparse
import hashlib
import json
import operator
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuwen.recipe.resolve import Resolved
    from tuwen.recipe.schema import Recipe

_TESTS = {">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt}


def options(description: str | None, of: str = "the recipe", pieces: bool = False) -> argparse.ArgumentParser:
    """A parser that knows `--set KEY=VALUE`, which becomes the list `sets`.

    Args:
        of: what it changes, for the help. pieces: whether there is `--out FOLDER` too, for `piece`; else None.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE", help=f"of {of}")
    if pieces:
        parser.add_argument("--out", type=Path, metavar="FOLDER", help="keep what is measured, and go on with it")
    return parser


def piece(kept: Path | None, decided_by: str, measure: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """One of the things that a claim measures: what an earlier call kept of it, or else measured now.

    So a claim that takes long can be measured in pieces, one a call. To what was measured are added `seconds`, and
    `threads`: how many cores it had.

    Args:
        kept: where pieces are kept; None for nowhere.
        decided_by: all that decides the figures, such as the resolved recipe: what changes it is measured anew.
        measure: given a new folder to train in.
    """
    if kept is None:
        with tempfile.TemporaryDirectory() as temporary:
            return _timed(measure, Path(temporary) / "run")
    folder = kept / hashlib.sha256(decided_by.encode()).hexdigest()[:12]
    file = folder / "measured.json"
    if not file.exists():
        shutil.rmtree(folder, ignore_errors=True)  # it was cut
        found = _timed(measure, folder)
        file.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _timed(measure: Callable[[Path], dict[str, Any]], folder: Path) -> dict[str, Any]:
    import torch

    began = time.perf_counter()
    found = measure(folder)
    return {**found, "seconds": round(time.perf_counter() - began, 1), "threads": torch.get_num_threads()}


def trained(recipe: Resolved[Recipe], kept: Path | None = None) -> dict[str, Any]:
    """Train a recipe, showing its progress, as a `piece`. Returns the run's metrics."""
    from tuwen.recipe.run import pretrain
    from tuwen.train.listeners import ProgressBar

    decided_by = recipe.to_yaml(origins=False)
    return piece(kept, decided_by, lambda run: pretrain(recipe, run, listeners=[ProgressBar()]).metrics)


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
