"""Retrieval on real emoji by names never seen in training: a third of the (emoji, skin tone) combinations is held out.

Every base emoji and every tone is still seen. The held-out names, in English and in Chinese, are searched for among all
pictures. The data is not part of a clone; say where it is: `python benchmarks/claims/emoji.py FOLDER`, or TUWEN_EMOJI.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _claim import options, report

Row = dict[str, Any]

LANGUAGES = ("en", "zh")
ASKED = {"en_r1": ">= 0.9", "zh_r1": ">= 0.9", "train_seconds": "<= 300"}
DEFAULT = Path(__file__).parents[3] / "shared" / "data" / "emoji"
SEED = 0

TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
"""The five skin tones, as they stand in an emoji."""
VARIATION = "\ufe0f"
"""Asks for a picture instead of a letter, where no skin tone does so."""


def main() -> None:
    """Train on what is not held out, then search."""
    parser = options(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(os.environ.get("TUWEN_EMOJI", DEFAULT)))
    given = parser.parse_args()
    folder: Path = given.folder
    if not (folder / "emoji.jsonl").is_file():
        sys.exit(f"{folder}: no emoji.jsonl there; name the folder of the emoji, or set TUWEN_EMOJI.")
    began = time.perf_counter()
    rows = read(folder)
    held_out = hold_out(rows, 1 / 3, SEED)
    with tempfile.TemporaryDirectory() as temporary:
        values = measure(folder, rows, held_out, Path(temporary), given.sets)
    report("emoji", values, ASKED, time.perf_counter() - began)


def read(folder: Path) -> list[Row]:
    """The rows of `emoji.jsonl`."""
    return [json.loads(line) for line in (folder / "emoji.jsonl").read_text(encoding="utf-8").splitlines()]


def hold_out(rows: Sequence[Row], share: float, seed: int) -> set[int]:
    """The numbers of a share of all rows with a skin tone, such that each base emoji and each tone stays with others.

    The base without a tone stays in any case. What is drawn is decided by the seed alone.
    """
    toned = [number for number, row in enumerate(rows) if tone(row)]
    left_of_base: dict[str, int] = defaultdict(int)
    left_of_tone: dict[str, int] = defaultdict(int)
    for row in rows:
        left_of_base[base(row)] += 1
        left_of_tone[tone(row)] += 1
    chosen: set[int] = set()
    for number in np.random.default_rng(seed).permutation(toned).tolist():
        row = rows[number]
        enough = left_of_base[base(row)] > 1 and left_of_tone[tone(row)] > 1
        if len(chosen) < round(share * len(toned)) and enough:
            chosen.add(number)
            left_of_base[base(row)] -= 1
            left_of_tone[tone(row)] -= 1
    return chosen


def tone(row: Row) -> str:
    """The skin tone of an emoji, "" where it has none."""
    return "".join(char for char in row["emoji"] if char in TONES)


def base(row: Row) -> str:
    """The emoji without its skin tone."""
    return "".join(char for char in row["emoji"] if char not in TONES and char != VARIATION)


def measure(
    folder: Path, rows: Sequence[Row], held_out: set[int], temporary: Path, sets: Sequence[str]
) -> dict[str, Any]:
    """Train in a temporary folder and search for the held-out names among all pictures."""
    import tuwen
    from tuwen.recipe.run import pretrain
    from tuwen.recipe.settings import Setting
    from tuwen.train.listeners import ProgressBar

    table = temporary / "emoji.jsonl"
    write_table(rows, held_out, table)
    data = {"data": {"path": str(folder), "captions": str(table)}}
    resolved = tuwen.load_recipe("emoji", [Setting.given(data, "the claim")], sets)
    run = temporary / "run"
    finished = pretrain(resolved, run, listeners=[ProgressBar()])
    model = tuwen.load(run)
    images = model.embed_images([folder / row["image"] for row in rows]).numpy()
    values: dict[str, Any] = {}
    for language in LANGUAGES:
        names = [row["names"][language] for row in rows]
        texts = model.embed_texts([names[number] for number in sorted(held_out)]).numpy()
        values[f"{language}_r1"] = round(recall_at(1, texts @ images.T, sorted(held_out), names), 4)
    return {
        **values,
        "train_seconds": finished.metrics["train_seconds"],
        "held_out": len(held_out),
        "candidates": len(rows),
    }


def write_table(rows: Sequence[Row], held_out: set[int], file: Path) -> None:
    """The rows with their split, without the names that are held out."""
    lines = [
        {"image": row["image"], "names": row["names"], "split": "held_out" if number in held_out else "train"}
        for number, row in enumerate(rows)
    ]
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def recall_at(k: int, similarity: np.ndarray, right: Sequence[int], names: Sequence[str]) -> float:
    """The share of texts that have their picture, or one of the very same name, among the k nearest.

    similarity: `[texts, pictures]`.
    """
    found = np.argsort(-similarity, axis=1)[:, :k].tolist()
    hits = [names[one] in {names[other] for other in nearest} for one, nearest in zip(right, found, strict=True)]
    return sum(hits) / len(right)


if __name__ == "__main__":
    main()
