"""Many tasks by one language model, told apart by the prompt alone; each beside what is got without understanding."""

from __future__ import annotations

import time

from _claim import options, report, trained

import tuwen

BETTER = {
    "caption.exact_match": "caption.blind_floor",
    "ask.colour_accuracy": "ask.colour_accuracy_blind_floor",
    "ask.shape_accuracy": "ask.shape_accuracy_blind_floor",
    "ask.sentiment_accuracy": "ask.sentiment_accuracy_majority_floor",
    "ask.summary_rouge_l": "ask.summary_rouge_l_lead_floor",
    "ask.illustrated_rouge_l": "ask.illustrated_rouge_l_blind_floor",
}
WORSE = {"ask.number_mae": "ask.number_mae_median_floor", "ask.number_mse": "ask.number_mse_mean_floor"}
ASKED = {
    **{f"{figure}_above_floor": "> 0" for figure in BETTER},
    **{f"{figure}_below_floor": "> 0" for figure in WORSE},
}


def main() -> None:
    """Train the recipe, and hold each figure against its floor."""
    sets: list[str] = options(__doc__).parse_args().sets
    began = time.perf_counter()
    metrics = trained(tuwen.load_recipe("many_tasks", sets=sets))
    found = {f"{task}.{name}": value for task, own in metrics["tasks"].items() for name, value in own.items()}
    margins = {f"{figure}_above_floor": found[figure] - found[floor] for figure, floor in BETTER.items()}
    margins |= {f"{figure}_below_floor": found[floor] - found[figure] for figure, floor in WORSE.items()}
    values = {
        **{key.replace(".", "_", 1): value for key, value in {**found, **margins}.items()},
        "train_seconds": metrics["train_seconds"],
    }
    asked = {key.replace(".", "_", 1): condition for key, condition in ASKED.items()}
    report("many_tasks", values, asked, time.perf_counter() - began)


if __name__ == "__main__":
    main()
