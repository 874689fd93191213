"""Is the sentence true? People's sentences of Cornell NLVR, and what learning from drawn boxes first is worth.

A model learns from drawn boxes with sentences from a grammar (`recipes/boxes.yaml`), then goes on with the 1,989
sentences of train and dev; another begins with these. Each does so with several seeds; test is looked at only then.
To choose settings, hold out a fifth of train and dev: `tuwen pretrain nlvr --set data.validation=0.2`.
The data is not part of a clone; say where it is: `python benchmarks/claims/nlvr.py FOLDER`, or TUWEN_NLVR.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from _claim import options, report

DEFAULT = Path(__file__).parents[3] / "shared" / "data" / "nlvr"
SEEDS = 5
ASKED = {"test_accuracy": ">= 0.62", "transfer_gain": ">= 0.03"}
PRETRAINED = ("model.freeze=[image]",)
"""What is seen is what was drawn; only the language is new."""
FROM_SCRATCH = ("train.learning_rate=3.0e-3",)
"""What suits a model that begins with nothing: a higher rate."""


def main() -> None:
    """Pretrain once, then learn from people's sentences with each seed, with and without it."""
    parser = options(__doc__, of="both recipes")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(os.environ.get("TUWEN_NLVR", DEFAULT)))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path, default=Path("runs/claim-nlvr"), help="folder; what has ended is kept")
    given = parser.parse_args()
    if not (given.folder / "train.jsonl").is_file():
        sys.exit(f"{given.folder}: no train.jsonl there; name the folder of NLVR, or set TUWEN_NLVR.")
    began = time.perf_counter()
    start, drawn = train(given.out, "boxes", "boxes", given.sets)
    found: dict[str, list[float]] = {"pretrained": [], "from_scratch": []}
    for seed in range(given.seeds):
        common = (f"data.path={given.folder}", f"seed={seed}", f"train.seed={seed}", *given.sets)
        ways = {"pretrained": (f"start.run={start}", *PRETRAINED), "from_scratch": FROM_SCRATCH}
        for way, sets in ways.items():
            figures = train(given.out, f"{way}-{seed}", "nlvr", (*common, *sets))[1]
            found[way].append(figures["accuracy"])
            print(f"seed {seed}, {way}: {figures['accuracy']:.4f}", flush=True)
    means = {way: fmean(scores) for way, scores in found.items()}
    values = {
        "test_accuracy": round(means["pretrained"], 4),
        "transfer_gain": round(means["pretrained"] - means["from_scratch"], 4),
        "from_scratch": round(means["from_scratch"], 4),
        "spread": {way: round(stdev(scores), 4) if len(scores) > 1 else 0.0 for way, scores in found.items()},
        "majority": round(figures["majority_floor"], 4),
        "blind": round(figures["blind_floor"], 4),
        "sentences": figures["count"],
        "seeds": given.seeds,
        "drawn_accuracy": round(drawn["accuracy"], 4),
    }
    report("nlvr", values, ASKED, time.perf_counter() - began)


def train(out: Path, name: str, recipe: str, sets: Sequence[str]) -> tuple[Path, dict[str, Any]]:
    """The folder of a run and its figures; trained unless it has ended before, and going on where it was cut."""
    from tuwen.recipe.run import pretrain
    from tuwen.recipe.schema import load_recipe
    from tuwen.recipe.sweep import finished
    from tuwen.train.listeners import ProgressBar

    resolved = load_recipe(recipe, sets=sets)
    digest = hashlib.sha256(resolved.to_yaml(origins=False).encode()).hexdigest()[:8]
    run = out / f"{name}-{digest}"
    if not finished(run):
        pretrain(resolved, run, resume=True, listeners=[ProgressBar()])
    return run, json.loads((run / "metrics.json").read_text(encoding="utf-8"))["tasks"]["vqa"]


if __name__ == "__main__":
    main()
