"""The frozen experiment for the claims about it: trained once, by whichever claim comes first."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tuwen.experiments.frozen import Results, run
from tuwen.train.listeners import ProgressBar


def experiment(description: str | None) -> tuple[Results, dict[str, float]]:
    """The results, and the seconds that each run was trained for."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/experiment-frozen"), help="folder; what has ended is kept"
    )
    parser.add_argument("--quick", action="store_true", help="the smaller one")
    parser.add_argument("--no-controls", dest="controls", action="store_false", help="the frozen arm alone")
    given = parser.parse_args()
    results = run(given.out, given.quick, controls=given.controls, listeners=[ProgressBar()], say=print)
    files = sorted(given.out.glob("*/metrics.json"))
    return results, {file.parent.name: json.loads(file.read_text())["train_seconds"] for file in files}
