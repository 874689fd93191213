"""Tables to splits: which rows speak of one picture, and which split it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from tuwen.core.errors import DataError
from tuwen.data import SPLITS, NotedSplits
from tuwen.data._choosing import Chooser
from tuwen.data._columns import TableConfig
from tuwen.data._hashing import share_of
from tuwen.data._pictures import PictureFinder, path_of
from tuwen.data._samples import Numbers, RowSource, SampleReader, fill
from tuwen.data._tables.rows import Rows
from tuwen.data._text import clean, texts
from tuwen.data._vocabulary import SPLIT_NAMES

Tables = Mapping[str | None, tuple[Rows, PictureFinder]]
"""One table (under None), or a table for each split, and who finds the pictures that it names."""

Found = tuple[dict[str, RowSource], list[str], list[str]]
"""The sources of a table, sentences about it, and its labels."""


def build_splits(tables: Tables, config: TableConfig) -> NotedSplits:
    """Splits from one table, by its column of splits or by chance, or from a table for each.

    Raises:
        DataError: a column is missing, or no picture is there.
    """
    sources: dict[str, RowSource] = {}
    notes: list[str] = []
    labels: set[str] = set()
    for split, (rows, finder) in tables.items():
        carve = split in (None, "train") and "validation" not in tables
        found, found_notes, found_labels = _split(rows, config, finder, split, carve)
        sources |= found
        notes += found_notes
        labels |= set(found_labels)
    notes.append(_counts(sources))
    ordered = sorted(labels, key=_naturally)
    described = {
        language: {label: fill(template, label) for label in ordered}
        for language, template in config.templates.items()
        if ordered
    }
    return NotedSplits(sources, notes, ordered, described)


def _split(rows: Rows, config: TableConfig, finder: PictureFinder, split: str | None, carve: bool) -> Found:
    _refuse_mostly_broken(rows)
    chooser = Chooser(rows, config, finder.is_there)
    split_column = chooser.split(config.split_column) if split is None else None
    columns = chooser.columns()
    rows, emptied = rows.without_fillers([name for name, _ in columns.captions])
    names, codes = coded(rows, columns.image, path_of)
    notes = [*rows.notes, *chooser.notes, *emptied, *(finder.settle(names, rows.name) if names else ())]
    codes = np.append(finder.first_of_each(names), -1)[codes]
    parts = {split or "train": np.arange(len(rows))}
    if split_column is not None:
        parts, rows, said = _by_column(rows, split_column, codes)
        codes[list(rows.faults)] = -1
        notes += said
    share = config.validation if config.validation is not None else 0.1 if split is None and len(parts) == 1 else 0.0
    label_names, label_codes = coded(rows, columns.label, _first_text) if columns.label else ([], None)
    if carve and share and "train" in parts and "validation" not in parts:
        notes += _hold_out(parts, rows, (names, codes), label_codes, share)
    reader = SampleReader(rows, columns, config, finder)
    sources = {name: RowSource(reader, *_grouped(members, codes, label_codes)) for name, members in parts.items()}
    return sources, notes, label_names


def _by_column(rows: Rows, column: str, codes: Numbers) -> tuple[dict[str, Numbers], Rows, list[str]]:
    values, split_codes = coded(rows, column, _first_text)
    unknown = [value for value in values if value.lower() not in SPLIT_NAMES]
    if unknown:
        raise DataError(
            f"{rows.name}: column {column!r} has {', '.join(map(repr, unknown[:10]))}; the splits are train, "
            "validation, test and held_out. Rename them, or set `split_column` to another column."
        )
    faults = {
        int(row): f"column {column!r}, which tells the split, is empty" for row in np.flatnonzero(split_codes < 0)
    }
    rows = replace(rows, faults={**faults, **rows.faults})
    number = {name: place for place, name in enumerate(dict.fromkeys(SPLIT_NAMES[value.lower()] for value in values))}
    of_code = np.array([number[SPLIT_NAMES[value.lower()]] for value in values] + [number.get("train", 0)], np.int64)
    of_row = of_code[split_codes]
    pairs = np.unique(np.stack([codes, of_row])[:, codes >= 0], axis=1)
    several = int((np.bincount(pairs[0]) > 1).sum()) if pairs.size else 0
    notes = [f"{rows.name}: {several:,} pictures are in more than one split."] if several else []
    return {name: np.flatnonzero(of_row == place) for name, place in number.items()}, rows, notes


def _hold_out(
    parts: dict[str, Numbers],
    rows: Rows,
    pictures: tuple[Sequence[str], Numbers],
    labels: Numbers | None,
    share: float,
) -> list[str]:
    """Move a share of the training pictures to `validation`: never all, nor all of a class, and else at least one.

    By a hash of the picture's name (or of its row), so that a picture stays in its split when others come or go.
    pictures: the names, and for each row the number of its name. labels: for each row the number of its label.
    """
    names, codes = pictures
    train = parts["train"]
    of_name = np.array([share_of(name) for name in names] + [0.0])
    hashes = of_name[codes[train]]
    for place in np.flatnonzero(codes[train] < 0):
        hashes[place] = share_of(str(train[place]))
    if len(np.unique(hashes)) < 2:
        return []
    held = hashes < max(share, np.nextafter(hashes.min(), 1))
    held &= hashes != hashes.max()
    lost = np.zeros_like(held)
    if labels is not None:
        own = labels[train]
        lost = held & (own >= 0) & ~np.isin(own, own[~held])
        held &= ~np.isin(hashes, hashes[lost])  # with all other rows of the picture
    if not held.any():
        return [f"{rows.name}: no picture is held out for validation, or a class would have none left."]
    parts["train"], parts["validation"] = train[~held], train[held]
    said = f"{share:.0%} of the pictures, chosen by a hash of their names, are held out for validation"
    kept = ", but for those of a class that would have none left" if lost.any() else ""
    return [f"{rows.name}: {said}{kept}."]


def _grouped(members: Numbers, images: Numbers, labels: Numbers | None) -> tuple[Numbers, Numbers]:
    """The rows of one picture together, in the order of the table; rows that differ in their label stay apart.

    A row without a label belongs to those with one: it says something else about the same picture.
    """
    keys = images[members].copy()
    unnamed = keys < 0
    keys[unnamed] = len(images) + members[unnamed]
    second = _labelled(keys, labels[members]) if labels is not None else np.zeros_like(keys)
    order = np.lexsort((members, second, keys))
    changed = (np.diff(keys[order]) != 0) | (np.diff(second[order]) != 0)
    starts = np.concatenate([[0], np.flatnonzero(changed) + 1, [len(members)]]) if len(members) else np.zeros(1)
    return members[order], starts.astype(np.int64)


def _labelled(keys: Numbers, labels: Numbers) -> Numbers:
    """The labels of some rows, and in place of -1 the first label of a row with the same key, where there is one."""
    known = labels >= 0
    least = np.full(int(keys.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, keys[known], labels[known])
    found = least[keys]
    return np.where(known | (found == np.iinfo(np.int64).max), labels, found)


def coded(rows: Rows, column: str, text_of: Callable[[Any], str | None]) -> tuple[list[str], Numbers]:
    """The distinct texts of a column in the order in which they appear, and for each row the number of its text.

    -1 stands for rows without a text, and for broken rows.
    """
    if rows.holds_pictures(column):
        return [], np.full(len(rows), -1, np.int64)
    values, codes = _distinct(rows, column)
    names = [text_of(value) for value in values]
    number = {name: place for place, name in enumerate(dict.fromkeys(name for name in names if name is not None))}
    of_code = np.array([-1 if name is None else number[name] for name in names] + [-1], np.int64)
    coded = of_code[codes]
    coded[list(rows.faults)] = -1
    return list(number), coded


def _distinct(rows: Rows, column: str) -> tuple[list[Any], Numbers]:
    """Distinct values, and for each row the number of its value; -1 for a missing one."""
    field = rows.table.schema.field(column) if column in rows.table.schema.names else None
    if field is not None and (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
        encoded = (
            pa.chunked_array(rows.table.column(column).chunks, field.type).dictionary_encode().unify_dictionaries()
        )
        codes = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in encoded.chunks]
        values = encoded.chunk(0).dictionary.to_pylist() if encoded.num_chunks else []
        return values, np.concatenate(codes).astype(np.int64) if codes else np.zeros(0, np.int64)
    number: dict[str, int] = {}
    found: list[Any] = []
    coded = np.empty(len(rows), np.int64)
    for row, value in enumerate(rows.values(column)):
        name = repr(value)
        if name not in number:
            number[name] = len(found)
            found.append(value)
        coded[row] = number[name]
    return found, coded


def _first_text(value: Any) -> str | None:
    return next(iter(texts(value)), None)


def _refuse_mostly_broken(rows: Rows) -> None:
    if len(rows.faults) * 2 > len(rows):
        examples = "".join(f"\n  {rows.where(row)}: {why}" for row, why in list(rows.faults.items())[:3])
        raise DataError(
            f"{rows.name}: {len(rows.faults):,} of {len(rows):,} rows cannot be read, for example:{examples}"
        )


def _naturally(label: str) -> tuple[int, int, str]:
    """Numbers by value, before words."""
    return (0, int(label), label) if label.isdecimal() else (1, 0, clean(label))


def _counts(sources: Mapping[str, RowSource]) -> str:
    named = sorted(sources.items(), key=lambda item: SPLITS.index(item[0]))
    return "; ".join(f"{name}: {len(source):,} samples" for name, source in named) + "."
