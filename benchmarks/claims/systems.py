"""The four systems S1 to S4 as recipes, small and from scratch on drawn scenes: each clearly beats its floor.

A floor is what is right without looking: the commonest answer, the best guess from the question alone, the model's own
guess from a blank picture, or chance among the candidates, whichever is highest. Measured one at a time with
`--only S1 --out FOLDER`, and so on, they are put together by a call with `--out FOLDER` alone; `threads` says how many
cores each had.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from _claim import options, report, trained

import tuwen
from tuwen.report.forgetting import headline_shares

SYSTEMS = {
    "S1": ("resnet_gru_joint_mini", "vqa", "accuracy", "floor"),
    "S2": ("resnet_bert_pairs_mini", "match", "recall_at_1", "recall_at_1_chance_floor"),
    "S3": ("fusion_decoder_mini", "vqa", "accuracy", "floor"),
    "S4": ("vgg_bert_fusion_mini", "vqa", "accuracy", "floor"),
}
"""For each system its recipe, and the task, figure and floor that it is judged by."""

ASKED = {f"{name}.above_floor": ">= 0.15" for name in SYSTEMS} | {f"{name}.train_seconds": "<= 180" for name in SYSTEMS}


def main() -> None:
    """Train each system, and compare it with its floor."""
    parser = options(__doc__, of="the recipes", pieces=True)
    parser.add_argument("--only", choices=SYSTEMS, action="append", help="some of the systems")
    given = parser.parse_args()
    wanted = given.only or list(SYSTEMS)
    values = {name: measure(*SYSTEMS[name], given.sets, given.out) for name in wanted}
    asked = {key: condition for key, condition in ASKED.items() if key.split(".")[0] in wanted}
    report("systems", values, asked, sum(found["seconds"] for found in values.values()))


def measure(recipe: str, task: str, figure: str, floor: str, sets: list[str], kept: Path | None) -> dict[str, Any]:
    """One system: its figure, its floor, and the headlines of all its tasks."""
    metrics = trained(tuwen.load_recipe(recipe, sets=sets), kept)
    found = metrics["tasks"][task]
    return {
        "recipe": recipe,
        figure: round(found[figure], 4),
        "floor": round(found[floor], 4),
        "above_floor": round(found[figure] - found[floor], 4),
        "train_seconds": metrics["train_seconds"],
        "seconds": metrics["seconds"],
        "threads": metrics["threads"],
        "count": found["count"],
        **headline_shares(metrics["tasks"]),
    }


if __name__ == "__main__":
    main()
