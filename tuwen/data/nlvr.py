"""`nlvr`: is the sentence true of the picture? Drawn pictures, and sentences that people wrote.

Cornell NLVR (Suhr et al. 2017, "A Corpus of Natural Language for Visual Reasoning", ACL, section 2): a picture shows
three boxes with things in them, scattered or stacked. A folder has `train.jsonl`, `dev.jsonl` and `test.jsonl`, a line
a sentence: `{"image": "train/0000.png", "sentence": ..., "label": true}`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydantic import Field

from tuwen.core.errors import DataError, SampleError
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Question, Sample
from tuwen.data import NotedSplits
from tuwen.data._boxes.layout import GAP, SIDE, lay_out
from tuwen.data._hashing import share_of

FILES = ("train", "dev", "test")
ANSWERS = {True: "true", False: "false"}
ORDERS = tuple(permutations(range(3)))
"""In what orders three boxes can stand; none of them changes what is true."""


class Config(PartConfig):
    """path: the folder. validation: share of train and dev that is held out, by a hash of the picture's name.

    permute: whether training sees each picture with its boxes in all six orders, as the corpus itself has them.
    layout: whether the boxes stand in a `row`, as they are, or in a `grid` of two and one, which a square shows larger.
    """

    path: Path
    validation: float = Field(default=0.0, ge=0, lt=1)
    permute: bool = True
    layout: Literal["row", "grid"] = "grid"


@dataclass(frozen=True, slots=True)
class Claimed:
    """One line of a file: a picture, a sentence, and whether it is true. where: the line, for messages."""

    image: str
    sentence: str
    label: bool
    where: str


class NLVR:
    """A source: sentences with their pictures. orders: of the boxes, each a sample of its own."""

    def __init__(self, folder: Path, rows: Sequence[Claimed], orders: Sequence[tuple[int, ...]], layout: str) -> None:
        self._folder, self._rows, self._orders, self._layout = folder, rows, orders, layout

    def __len__(self) -> int:
        return len(self._rows) * len(self._orders)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        number, place = divmod(index, len(self._orders))
        row = self._rows[number]
        boxes = self._boxes(row)
        return Sample(
            key=f"{row.image}, {row.where}",
            image=lay_out([boxes[box] for box in self._orders[place]], self._layout),
            questions=(Question(row.sentence, ANSWERS[row.label], kind_of(row.sentence), "en"),),
        )

    def _boxes(self, row: Claimed) -> list[NDArray[np.uint8]]:
        """The three boxes of a picture, `[100, 100, 3]` each."""
        try:
            with Image.open(self._folder / row.image) as file:
                pixels = np.array(file.convert("RGB"))
        except (OSError, UnidentifiedImageError, SyntaxError) as error:
            raise SampleError(row.image, f"the picture cannot be read ({error}; {row.where})") from error
        if pixels.shape != (SIDE, 3 * SIDE + 2 * GAP, 3):
            raise SampleError(row.image, f"the picture is {pixels.shape[1]} x {pixels.shape[0]} and not 400 x 100")
        return [pixels[:, start : start + SIDE] for start in range(0, pixels.shape[1], SIDE + GAP)]


def build(config: Config, context: Any = None) -> NotedSplits:
    """`train` (train and dev together), `test`, and `validation` where asked for.

    Raises:
        DataError: the folder or a file is missing, or a line is not what it should be.
    """
    folder = config.path.expanduser()
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder: say where NLVR's train.jsonl, dev.jsonl, test.jsonl are (data.path)."
        )
    rows = {name: read(folder / f"{name}.jsonl") for name in FILES}
    given = [*rows["train"], *rows["dev"]]
    held = [row for row in given if share_of(row.image) < config.validation]
    kept = [row for row in given if share_of(row.image) >= config.validation]
    random.Random(0).shuffle(kept)  # evaluation looks at the first few
    orders = ORDERS if config.permute else ORDERS[:1]
    splits = {"train": NLVR(folder, kept, orders, config.layout)}
    splits |= {"validation": NLVR(folder, held, ORDERS[:1], config.layout)} if held else {}
    splits["test"] = NLVR(folder, rows["test"], ORDERS[:1], config.layout)
    counted = ", ".join(f"{name}: {len(part):,}" for name, part in _counts(kept, held, rows["test"]).items())
    return NotedSplits(splits, [f"{folder}: sentences in {counted}."])


def read(file: Path) -> list[Claimed]:
    """The lines of a file.

    Raises:
        DataError: it is missing, or a line is not what it should be.
    """
    if not file.is_file():
        raise DataError(f"{file}: no such file; NLVR has {', '.join(f'{name}.jsonl' for name in FILES)}.")
    lines = file.read_text(encoding="utf-8").splitlines()
    return [_claimed(line, f"{file.name}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _claimed(line: str, where: str) -> Claimed:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}).") from None
    wanted = {"image": str, "sentence": str, "label": bool}
    if not isinstance(row, dict) or any(not isinstance(row.get(key), kind) for key, kind in wanted.items()):
        raise DataError(f'{where}: a line must be {{"image": a path, "sentence": a text, "label": true or false}}.')
    return Claimed(row["image"], row["sentence"].strip(), row["label"], where)


def _counts(*parts: Sequence[Claimed]) -> Mapping[str, Sequence[Claimed]]:
    return {name: part for name, part in zip(("train", "validation", "test"), parts, strict=True) if part}


def kind_of(sentence: str) -> str:
    """Whether a sentence speaks of towers or of things that are scattered in boxes."""
    words = sentence.lower()
    return "towers" if any(word in words for word in ("tower", "block", "base")) else "items"
