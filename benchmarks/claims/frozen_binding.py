"""New words for pictures, from a few examples, by a frozen language model whose prefix saw captions alone."""

from __future__ import annotations

import time

from _claim import report
from _frozen import experiment

ASKED = {
    "two_way_one_shot": ">= 0.85",
    "five_way_one_shot": ">= 0.6",
    "two_way_above_blind": ">= 0.25",
    "five_way_above_blind": ">= 0.25",
    "frozen_minutes": "<= 20",
}


def main() -> None:
    """Run what is not done of the experiment."""
    began = time.perf_counter()
    results, seconds = experiment(__doc__)
    frozen = results.arms["frozen"]
    two, five = "2_way_1_shot", "5_way_1_shot"
    values = {
        "two_way_one_shot": frozen[two],
        "five_way_one_shot": frozen[five],
        "blind_two_way_one_shot": frozen[f"{two}_blind_floor"],
        "blind_five_way_one_shot": frozen[f"{five}_blind_floor"],
        "two_way_above_blind": frozen[two] - frozen[f"{two}_blind_floor"],
        "five_way_above_blind": frozen[five] - frozen[f"{five}_blind_floor"],
        "frozen_minutes": round((seconds["language"] + seconds["frozen"]) / 60, 1),
        "all_minutes": round(sum(seconds.values()) / 60, 1),
        "arms": results.arms,
        "trials": results.trials,
    }
    report("frozen_binding", values, ASKED, time.perf_counter() - began)


if __name__ == "__main__":
    main()
