"""`tuwen data check`: everything that training would meet in a recipe's data, and whether it would begin at all."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tuwen.check.examples import Example, examples
from tuwen.check.pictures import Pictures, Seen, describe, look_at
from tuwen.check.sheet import contact_sheet
from tuwen.check.texts import Texts
from tuwen.check.texts import describe as describe_texts
from tuwen.core.errors import DataError, TuwenError
from tuwen.core.sample import Source, Stream
from tuwen.prep.images import ImagePrep
from tuwen.prep.tokens import Tokenizer
from tuwen.recipe.build import assemble
from tuwen.recipe.prepare import prepare
from tuwen.recipe.schema import Recipe
from tuwen.recipe.sources import Data, Outcome, build_data, some, spread
from tuwen.train.checkpoints import write_whole

RESULTS, SHEET = "check.json", "contact-sheet.png"

TEXTS = 20_000
"""Samples of each split whose texts are read."""


@dataclass(frozen=True, slots=True)
class Split:
    """One split. samples: how many it has, None for a stream."""

    samples: int | None
    pictures: Pictures
    texts: Texts


@dataclass(slots=True)
class Findings:
    """What a check found.

    size: side of the model's square; max_length: tokens of a text that are read; vocabulary: entries of the tokenizer.
    refused: why training would not begin, or None. notes: what was guessed and left out.
    shared: pictures that stand in several splits, by their keys. examples: one of each task.
    samples_per_batch, rows_per_batch: of the first batch; for each stream how many rows of how many tokens.
    sheet: the contact sheet, where there is a picture. seconds: that the check took.
    """

    size: int
    max_length: int
    vocabulary: int = 0
    refused: str | None = None
    notes: tuple[str, ...] = ()
    splits: dict[str, Split] = field(default_factory=dict)
    shared: tuple[tuple[str, ...], ...] = ()
    examples: dict[str, Example] = field(default_factory=dict)
    samples_per_batch: int = 0
    rows_per_batch: dict[str, tuple[int, ...]] = field(default_factory=dict)
    sheet: Path | None = None
    seconds: float = 0.0


def check(recipe: Recipe, out: Path, pictures: int = 2000) -> Findings:
    """Look at a recipe's data as training would, and write `check.json` and `contact-sheet.png` into a folder.

    Args:
        recipe: as it was resolved.
        out: the folder; made where it does not exist.
        pictures: how many of each split are decoded, evenly spread; 0 for all.

    Returns:
        What was found. Where training would be refused, the reason is in `refused`, and the rest is what can be said
        all the same.

    Raises:
        DataError: the folder cannot be written to.
    """
    began = time.monotonic()
    findings = Findings(recipe.image.size, recipe.tokenizer.max_length)
    seen: dict[str, Sequence[Seen]] = {}
    try:
        data = build_data(recipe)
        findings.notes = data.notes
        tokenizer = _prepare(recipe, data, findings)
        seen = _look_at_splits(recipe, data, tokenizer, findings, pictures)
    except TuwenError as error:
        findings.refused = findings.refused or str(error)
    try:
        _write(findings, seen, out, began)
    except OSError as error:
        raise DataError(f"--out {out}: the results cannot be written: {error.strerror or error}.") from error
    return findings


def _prepare(recipe: Recipe, data: Data, findings: Findings) -> Tokenizer | None:
    """Do what training does before its first step; the tokenizer, where it comes so far."""
    tokenizer = None
    try:
        prepared = prepare(recipe, data)
        tokenizer, findings.vocabulary = prepared.tokenizer, len(prepared.tokenizer)
        system = assemble(prepared)
        findings.notes += system.notes
        findings.examples, batch = examples(system, data, prepared.trained_by)
        findings.samples_per_batch = len(batch)
        findings.rows_per_batch = {name: tuple(text.ids.shape) for name, text in batch.texts.items()}
    except TuwenError as error:
        findings.refused = str(error)
    return tokenizer


def _look_at_splits(
    recipe: Recipe, data: Data, tokenizer: Tokenizer | None, findings: Findings, count: int
) -> dict[str, Sequence[Seen]]:
    """Describe each split; the pictures that were decoded."""
    images = ImagePrep(recipe.image)
    seen: dict[str, Sequence[Seen]] = {}
    for name, source in data.splits.items():
        size = len(source) if isinstance(source, Source) else None
        everything = count == 0
        seen[name], faults = look_at(_some(source, None if everything else count), images)
        texts = describe_texts(_some(source, None if everything else max(TEXTS, count)), tokenizer)
        findings.splits[name] = Split(size, describe(seen[name], faults, images), texts)
    findings.shared = _in_several(seen)
    return seen


def _some(source: Source | Stream, count: int | None) -> Iterable[Outcome]:
    return spread(source) if count is None else some(source, count)


def _in_several(seen: Mapping[str, Sequence[Seen]]) -> tuple[tuple[str, ...], ...]:
    """Pictures that stand in several splits: the same file, or the same pixels."""
    places: dict[bytes, dict[str, str]] = defaultdict(dict)
    for split, pictures in seen.items():
        for one in pictures:
            places[one.digest].setdefault(split, f"{split}: {one.sample.key}")
    return tuple(tuple(found.values()) for found in places.values() if len(found) > 1)


def _write(findings: Findings, seen: dict[str, Sequence[Seen]], out: Path, began: float) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if any(seen.values()):
        findings.sheet = out / SHEET
        contact_sheet(seen, findings.sheet)
    findings.seconds = round(time.monotonic() - began, 1)
    text = json.dumps(asdict(findings), ensure_ascii=False, indent=2, default=str)
    write_whole(out / RESULTS, text + "\n")
