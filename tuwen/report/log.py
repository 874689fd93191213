"""`log.jsonl`: what training wrote down, one JSON object a logged step.

    {"step": 40, "loss": 4.0, "losses": {"contrastive": 1.9, "captioning": 2.1}, "parts": {"contrastive/accuracy": 0.6},
     "learning_rate": 1e-3, "gradient_norm": 0.8, "samples_per_second": 410.0, "waiting": 0.02, "seconds": 12.9}

`waiting` is the share of time (0 to 1) spent waiting for data. Any field but `step` may be missing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuwen.core.errors import DataError

FILE_NAME = "log.jsonl"

Entry = dict[str, Any]

Series = list[tuple[float, float]]
"""Points of step and value, by ascending step; a value may be NaN or infinite, as it was logged."""


@dataclass(slots=True)
class Log:
    """The curves of a run. main: losses, learning rate, speed, waiting; more: gradient norm and parts of the losses."""

    main: dict[str, Series] = field(default_factory=dict)
    more: dict[str, Series] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """The last step."""
        return max((int(series[-1][0]) for series in self.main.values()), default=0)

    @property
    def waiting(self) -> float | None:
        """The mean share of time spent waiting for data, None where it was not logged."""
        values = [value for _, value in self.main.get("waiting", []) if math.isfinite(value)]
        return sum(values) / len(values) if values else None


def read_log(folder: Path) -> Log:
    """The curves of the run in a folder; no file, no curves.

    A last line that a killed run left half-written is left out, and where a resumed run logged a step again, its later
    line counts.

    Raises:
        DataError: another line is not a JSON object with a `step`.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return Log()
    *whole, _ = path.read_text(encoding="utf-8").split("\n")  # Behind the last line feed is nothing, or half a line.
    steps: dict[float, Entry] = {}
    for number, line in enumerate(whole, start=1):
        if line.strip():
            entry = _parse(line, f"{path}, line {number}")
            steps[float(entry["step"])] = entry
    entries = sorted(steps.items())
    return Log(main=_series(entries, _main), more=_series(entries, _more))


def _main(entry: Entry) -> Iterator[tuple[str, Any]]:
    losses = entry.get("losses", {})
    if len(losses) != 1 and "loss" in entry:  # The sum of one loss says nothing new.
        yield "loss", entry["loss"]
    yield from losses.items()
    yield from ((name, entry[name]) for name in ("learning_rate", "samples_per_second", "waiting") if name in entry)


def _more(entry: Entry) -> Iterator[tuple[str, Any]]:
    if "gradient_norm" in entry:
        yield "gradient_norm", entry["gradient_norm"]
    yield from entry.get("parts", {}).items()


def _series(
    entries: list[tuple[float, Entry]], pairs: Callable[[Entry], Iterator[tuple[str, Any]]]
) -> dict[str, Series]:
    curves: dict[str, Series] = {}
    for step, entry in entries:
        for name, value in pairs(entry):
            curves.setdefault(name, []).append((step, float(value) if isinstance(value, int | float) else math.nan))
    return curves


def _parse(line: str, where: str) -> Entry:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}); remove the line to make the page without it") from None
    if not isinstance(entry, dict) or not isinstance(entry.get("step"), int | float):
        raise DataError(f"{where}: an object with a `step` belongs here; remove the line to make the page without it")
    return entry
