"""Accuracy on the official test questions of easy-VQA after five minutes of training."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from _claim import report

sys.path.remove(str(Path(__file__).resolve().parent))  # or `import easy_vqa`, the package of the data, finds this file

ASKED = {"test_accuracy": ">= 0.995", "train_seconds": "<= 300"}


def main() -> None:
    """Train the recipe on the official training pictures, and answer all test questions."""
    import tuwen
    from tuwen.recipe.run import pretrain
    from tuwen.train.listeners import ProgressBar

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE", help="of the recipe")
    sets: list[str] = parser.parse_args().sets
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        metrics = pretrain(tuwen.load_recipe("easy_vqa", sets=sets), Path(temporary), listeners=[ProgressBar()]).metrics
    vqa = metrics["tasks"]["vqa"]
    values = {
        "test_accuracy": vqa["accuracy"],
        "train_seconds": metrics["train_seconds"],
        "questions": vqa["count"],
        "question_only": vqa["question_only_floor"],
        "majority": vqa["majority_floor"],
    }
    report("easy_vqa", values, ASKED, time.perf_counter() - began)


if __name__ == "__main__":
    main()
