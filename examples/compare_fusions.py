"""Train the same system with several fusions, and compare what they reach.

    python examples/compare_fusions.py runs/fusions --kinds add concat cross_attention --steps 300

A few hundred steps show that it works; for an answer to act on, train each for longer and with several seeds
(`--set seed=1 --set train.seed=1`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tuwen
from tuwen.recipe.run import pretrain

RECIPE = Path(__file__).with_suffix(".yaml")


def main() -> None:
    """One run a fusion, in a folder of its own; they differ in nothing else, not even in the order of the data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the runs go")
    parser.add_argument("--kinds", nargs="+", default=["add", "mean", "concat", "cross_attention"])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE", help="change a setting")
    options = parser.parse_args()

    print(f"{'fusion':16} {'unseen':>8} {'held out':>9} {'floor':>7} {'seconds':>8}")
    for kind in options.kinds:
        sets = [f"model.fusion={{kind: {kind}, width: 128}}", f"train.steps={options.steps}", *options.sets]
        if kind == "cross_attention":
            sets.append("model.fusion.heads=4")
        found = pretrain(tuwen.load_recipe(RECIPE, sets=sets), options.folder / kind).metrics
        unseen, held_out = found["tasks"]["vqa"], found["held_out"]["vqa"]
        print(
            f"{kind:16} {unseen['accuracy']:8.1%} {held_out['accuracy']:9.1%} {unseen['floor']:7.1%} "
            f"{found['train_seconds']:8.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
