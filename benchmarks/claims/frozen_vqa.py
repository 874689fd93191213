"""Questions about pictures, answered by a frozen language model whose prefix saw captions alone."""

from __future__ import annotations

import time

from _claim import report
from _frozen import experiment

ASKED = {"zero_shot_above_blind": ">= 0.15"}


def main() -> None:
    """Run what is not done of the experiment."""
    began = time.perf_counter()
    results, _ = experiment(__doc__)
    frozen = results.arms["frozen"]
    zero = frozen["0_shot_accuracy"]
    values = {
        "zero_shot": zero,
        "zero_shot_blind": frozen["0_shot_accuracy_blind_floor"],
        "zero_shot_above_blind": zero - frozen["0_shot_accuracy_blind_floor"],
        "majority": frozen["majority_floor"],
        **{name: value for name, value in frozen.items() if name.endswith("_shot_accuracy")},
        "questions": results.trials["questions"],
    }
    report("frozen_vqa", values, ASKED, time.perf_counter() - began)


if __name__ == "__main__":
    main()
