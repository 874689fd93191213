"""Four ways to join a picture and a question, side by side: add, mean, concat and cross-attention on drawn scenes.

Three seeds each; the sweep is `fusion.yaml`, and the system `fusion_vqa.yaml`. With `--nlvr FOLDER` the same four
are trained on people's sentences about three boxes too (`fusion_nlvr.yaml`), which takes hours.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from _claim import report

from tuwen.cli.sweep import train_apart
from tuwen.recipe.sweep import Planned, read_sweep, sweep
from tuwen.report.sweep import Sweep, spread

HERE = Path(__file__).parent
ASKED = {"runs": ">= 12", "failed": "== 0"}


def main() -> None:
    """Run the sweep, print its table, and the mean of each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="keep the runs here, and go on with what is there")
    parser.add_argument("--nlvr", type=Path, metavar="FOLDER", help="of the data set NLVR")
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary)
        found = {"scenes": compare(HERE / "fusion.yaml", folder / "scenes", {})}
        if options.nlvr is not None:
            found["nlvr"] = compare(HERE / "fusion_nlvr.yaml", folder / "nlvr", {"data.path": str(options.nlvr)})
    values: dict[str, Any] = {name: means(each) for name, each in found.items()}
    runs = [run for each in found.values() for run in each.runs]
    values |= {"runs": len(runs), "failed": sum(run.error is not None for run in runs)}
    report("fusion", values, ASKED, time.perf_counter() - began)


def compare(file: Path, folder: Path, sets: dict[str, Any]) -> Sweep:
    """Train what a sweep's file says."""
    config = read_sweep(file)
    found = sweep(config.model_copy(update={"set": config.set | sets}), folder, train_apart, tell)
    print(found.markdown())
    return found


def tell(planned: Planned, number: int, count: int, said: str) -> None:
    """Print how a run ended."""
    print(f"{number}/{count} {', '.join(planned.labels)}, seed {planned.seed}: {said}", flush=True)


def means(found: Sweep) -> dict[str, dict[str, float]]:
    """The mean over the seeds of each figure at each place."""
    table: dict[str, dict[str, float]] = {}
    for labels, runs in found.cells().items():
        spreads = {name: spread(run.values[name] for run in runs if name in run.values) for name in found.figures}
        table[" ".join(labels)] = {name.rpartition(".")[2]: round(each[0], 4) for name, each in spreads.items() if each}
    return table


if __name__ == "__main__":
    main()
