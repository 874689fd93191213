"""Do unlabelled pictures and texts help where pairs are few? Drawn scenes, of which a tenth comes as pairs.

One run learns from that tenth alone, another from it and from the pictures and the texts of the rest, apart. Both see
the same pairs equally often, and search the same unseen scenes; the seed draws the scenes that come as pairs.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import fmean, stdev

from _claim import options, report, trained

from tuwen.recipe.schema import load_recipe

RECIPE = Path(__file__).with_suffix(".yaml")
SEEDS = 5
ALONE = (
    "data.pictures=false",
    "data.texts=false",
    "image.view=null",
    "tasks.masked_lm=null",
    "objectives.two_view=null",
    "objectives.masked_lm=null",
    "train.batch_size=32",  # as many pairs as a batch of 96 has, where each third is of one sort
)
"""What makes of the recipe one that learns from pairs alone."""
ASKED = {"gain": ">= 0.02", "better_with_every_seed": "== true"}
SEARCHES = ("image_to_text_r1", "text_to_image_r1")


def main() -> None:
    """Train both ways with every seed; compare R@1, the mean of both directions."""
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args()
    began = time.perf_counter()
    found: dict[str, list[float]] = {"pairs_alone": [], "with_the_rest": []}
    for seed in range(given.seeds):
        for way, changes in {"pairs_alone": ALONE, "with_the_rest": ()}.items():
            sets = [f"seed={seed}", f"train.seed={seed}", *changes, *given.sets]
            retrieval = trained(load_recipe(RECIPE, sets=sets))["tasks"]["retrieve"]
            found[way].append(fmean(retrieval[name] for name in SEARCHES))
            print(f"seed {seed}, {way}: R@1 {found[way][-1]:.4f}", flush=True)
    means = {way: fmean(scores) for way, scores in found.items()}
    gains = [rest - alone for rest, alone in zip(found["with_the_rest"], found["pairs_alone"], strict=True)]
    error = stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    values = {
        "r1": {way: round(mean, 4) for way, mean in means.items()},
        "spread": {way: round(stdev(scores), 4) if len(scores) > 1 else 0.0 for way, scores in found.items()},
        "gain": round(fmean(gains), 4),
        "gain_in_standard_errors": round(fmean(gains) / error, 2) if error else 0.0,
        "better_with_every_seed": all(gain > 0 for gain in gains),
        "gains": {f"seed_{seed}": round(gain, 4) for seed, gain in enumerate(gains)},
        "seeds": given.seeds,
        "candidates": retrieval["candidates"],
    }
    report("semi", values, ASKED, time.perf_counter() - began)


if __name__ == "__main__":
    main()
