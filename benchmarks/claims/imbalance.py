"""What balanced sampling and weighted losses do for rare classes: real digits, half of which have 2 samples each.

Of scikit-learn's handwritten digits, the training three quarters keep 100 samples of five digits and 2 of the other
five: step imbalance at a ratio of 1:50 (Buda et al. 2018, arXiv:1710.05381, section 2.1). Which digits are rare is
drawn by the seed. The test quarter stays as it is. Everything else is the same for all ways of training. How training
is set was chosen on a validation part of the training digits.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from _claim import options, report
from PIL import Image

from tuwen.core.sample import Sample, Source
from tuwen.data import digits
from tuwen.recipe.run import pretrain
from tuwen.recipe.schema import load_recipe
from tuwen.recipe.settings import Setting

MOST, RATIO, SEEDS = 100, 50, 4
HEAD_ALONE = ("tasks.zero_shot=null", "tasks.retrieve=null", "objectives.contrastive=null", "model.text=null")
SHORT = ("model.embedding=null", "train.epochs=null", "train.steps=200", "train.batch_size=32")
WAYS: dict[str, tuple[str, ...]] = {
    "as_it_is": (),
    "balanced_sampling": (),
    "inverse_weights": ("objectives.classification.class_weights=inverse",),
    "effective_number": ("objectives.classification.class_weights=effective", "objectives.classification.beta=0.99"),
}
"""What each way changes in the recipe; balanced sampling is a data set of its own kind."""
BASE = "as_it_is"
ASKED = {"gain.balanced_sampling": ">= 0.02"}


def main() -> None:
    """Train every way with every seed, and compare the mean macro-F1 of the test quarter."""
    parser = options(__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args()
    began = time.perf_counter()
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for seed in range(given.seeds):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary, "digits")
            rare = write(folder, seed)
            for way in WAYS:
                figures = measure(way, folder, Path(temporary, way), seed, given.sets)
                found[way].append(figures)
                print(f"seed {seed} (rare: {rare}), {way}: macro-F1 {figures['macro_f1']:.4f}", flush=True)
    f1 = {way: [figures["macro_f1"] for figures in runs] for way, runs in found.items()}
    values = {
        "macro_f1": {way: round(fmean(scores), 4) for way, scores in f1.items()},
        "spread": {way: round(stdev(scores), 4) if len(scores) > 1 else 0.0 for way, scores in f1.items()},
        "accuracy": {way: round(fmean(figures["accuracy"] for figures in runs), 4) for way, runs in found.items()},
        "gain": {way: round(fmean(f1[way]) - fmean(f1[BASE]), 4) for way in WAYS if way != BASE},
        "seeds": given.seeds,
        "ratio": f"1:{RATIO}",
        "digits": found[BASE][0]["count"],
    }
    report("imbalance", values, ASKED, time.perf_counter() - began)


def write(folder: Path, seed: int) -> str:
    """The digits as a folder of splits and classes; half of the classes are rare in training. Returns these."""
    splits = digits.build(digits.Config(captions=False))
    order = random.Random(seed).sample(digits.DIGITS, len(digits.DIGITS))
    half = len(order) // 2
    wanted = dict.fromkeys(order[:half], MOST) | dict.fromkeys(order[half:], MOST // RATIO)
    left = dict(wanted)
    for name in ("train", "test"):
        source = splits[name]
        assert isinstance(source, Source)
        for sample in random.Random(seed).sample([source[number] for number in range(len(source))], len(source)):
            if name == "test" or left[str(sample.label)]:
                left[str(sample.label)] -= name == "train"
                save(sample, folder / name)
    return ", ".join(sorted(order[half:]))


def save(sample: Sample, folder: Path) -> None:
    """Write a picture into its class's folder."""
    place = folder / str(sample.label)
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sample.image).save(place / f"{sample.key.replace('/', '-')}.png")  # type: ignore[arg-type]


def measure(way: str, folder: Path, run: Path, seed: int, sets: list[str]) -> dict[str, Any]:
    """The figures of one run on the test quarter."""
    data: dict[str, Any] = {"kind": "folder", "path": str(folder)}
    if way == "balanced_sampling":
        data = {"kind": "class_balanced", "data": data}
    seeds = (f"seed={seed}", f"train.seed={seed}")
    resolved = load_recipe(
        "digits", [Setting.given({"data": data}, "the claim")], [*HEAD_ALONE, *SHORT, *seeds, *WAYS[way], *sets]
    )
    return dict(pretrain(resolved, run).metrics["tasks"]["classify"])


if __name__ == "__main__":
    main()
