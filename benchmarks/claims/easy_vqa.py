"""Accuracy on the official test questions of easy-VQA after five minutes of training."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from _claim import options, report, trained

sys.path.remove(str(Path(__file__).resolve().parent))  # or `import easy_vqa`, the package of the data, finds this file

ASKED = {"test_accuracy": ">= 0.995", "train_seconds": "<= 300"}


def main() -> None:
    """Train the recipe on the official training pictures, and answer all test questions."""
    import tuwen

    sets: list[str] = options(__doc__).parse_args().sets
    began = time.perf_counter()
    metrics = trained(tuwen.load_recipe("easy_vqa", sets=sets))
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
