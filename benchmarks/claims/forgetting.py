"""What fine-tuning takes from a small model's zero-shot classification and retrieval, and what weights between keep.

A model learns to compare pictures of one or two things with captions. Then all of it is fine-tuned to name the colour
and shape of single things by a head. The guard measures what it could do before; the share of the fine-tuned weights is
chosen on one half of the samples, and every figure here is measured on the other.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from _claim import options, report

from tuwen.recipe.finetune import finetune_recipe
from tuwen.recipe.run import pretrain
from tuwen.recipe.schema import load_recipe
from tuwen.train.listeners import ProgressBar

RECIPE = Path(__file__).with_suffix(".yaml")
FINE = ("data.objects=[1,1]", "data.seed=1", "train.steps=200", "train.warmup=10", "train.learning_rate=4.0e-3")
NAMES = ("pretrained", "between", "fine_tuned")
RETRIEVAL = ("image_to_text_r1", "text_to_image_r1")
ASKED = {"retrieval_lost": ">= 0.1", "recovered": ">= 0.3", "accuracy_cost": "<= 0.05", "seconds": "<= 300"}


def main() -> None:
    """Pretrain, fine-tune under guard, and compare the weights between with the fine-tuned ones."""
    parser = options(__doc__, of="the pretraining")
    parser.add_argument("--fine", action="append", default=[], metavar="KEY=VALUE", help="of the fine-tuning")
    given = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(temporary) / "pretrained"
        pretrain(load_recipe(RECIPE, sets=given.sets), run, listeners=[ProgressBar()])
        recipe = finetune_recipe(run, "classify", sets=(*FINE, *given.fine))
        found = pretrain(recipe, Path(temporary) / "fine", listeners=[ProgressBar()]).forgetting
    assert found is not None
    values: dict[str, Any] = {}
    for name, mixed in zip(NAMES, found.confirmed, strict=True):
        values[name] = {**rounded(mixed.kept), **rounded(mixed.learned)}
    before, between, after = (fmean(values[name][figure] for figure in RETRIEVAL) for name in NAMES)
    values |= {
        "alpha": found.alpha,
        "retrieval_lost": round(before - after, 4),
        "recovered": round((between - after) / max(before - after, 1e-9), 4),
        "accuracy_cost": round(values["fine_tuned"]["accuracy"] - values["between"]["accuracy"], 4),
        "seconds": round(time.perf_counter() - began, 1),
    }
    report("forgetting", values, ASKED, time.perf_counter() - began)


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """The figures with four decimals, by their last names."""
    return {name.rpartition(".")[2]: round(value, 4) for name, value in figures.items()}


if __name__ == "__main__":
    main()
