"""How many of scikit-learn's handwritten digits, a fixed quarter held out, a model names that was trained on the rest.

The recipe's settings were chosen on a part of the other three quarters: `--set data.validation=0.2
--set 'evaluate.splits=[validation]'`.
"""

from __future__ import annotations

import time

from _claim import options, report, trained

import tuwen

ASKED = {"test_accuracy": ">= 0.985"}


def main() -> None:
    """Train the recipe, and name the digits of the quarter: by the trained head, and by comparison with texts."""
    sets: list[str] = options(__doc__).parse_args().sets
    began = time.perf_counter()
    metrics = trained(tuwen.load_recipe("digits", sets=sets))
    head, zero_shot = metrics["tasks"]["classify"], metrics["tasks"]["zero_shot"]
    values = {
        "test_accuracy": head["accuracy"],
        "zero_shot_accuracy": zero_shot["zero_shot_accuracy"],
        "floor": head["floor"],
        "digits": head["count"],
        "train_seconds": metrics["train_seconds"],
    }
    report("digits", values, ASKED, time.perf_counter() - began)


if __name__ == "__main__":
    main()
