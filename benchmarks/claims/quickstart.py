"""What `tuwen quickstart` reaches, measured by the command itself; and the time it takes, all of it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _claim import options, report

from tuwen.cli.quickstart import ASKED

SECONDS = {"train_seconds": "<= 300", "total_seconds": "<= 420"}


def main() -> None:
    """Run the command in a temporary folder, and read its metrics."""
    sets: list[str] = options(__doc__).parse_args().sets
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(temporary) / "quickstart"
        changes = [word for setting in sets for word in ("--set", setting)]
        subprocess.run([sys.executable, "-m", "tuwen", "quickstart", "--out", str(run), *changes], check=True)
        metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    seconds = time.perf_counter() - began
    shape = ("train_seconds", "pairs_per_second", "tasks", "held_out")
    values = {**{name: metrics[name] for name in shape}, "total_seconds": round(seconds, 1)}
    report("quickstart", values, {**conditions(ASKED), **SECONDS}, seconds)


def conditions(asked: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested least figures as conditions: `{"tasks.vqa.accuracy": ">= 0.97"}`."""
    found: dict[str, str] = {}
    for name, value in asked.items():
        key = f"{prefix}{name}"
        found |= conditions(value, f"{key}.") if isinstance(value, Mapping) else {key: f">= {value}"}
    return found


if __name__ == "__main__":
    main()
