"""CSV, TSV and their relatives: the separator is found, and each row knows its line."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from tuwen.core.errors import DataError
from tuwen.data._tables.encoding import find_encoding
from tuwen.data._tables.rows import Rows
from tuwen.data._text import clean

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}

# A field of more lines than this is a quote that is not closed, and has swallowed the records after it.
_MOST_LINES = 200
_BATCH = 50_000
_QUOTED, _PLAIN = csv.QUOTE_MINIMAL, csv.QUOTE_NONE
FILLERS = ("nan", "null", "none", "n/a", "-")
"""What programs and people write, in any case, into a cell that has no text."""

_PICTURE = re.compile(r"\.(jpe?g|png|webp|gif|bmp|tiff?)(#\d+)?\s*$", re.IGNORECASE)

Record = tuple[int, list[str]]
"""The line at which a record begins, and its fields."""


def read_delimited(file: Path, encoding: str | None = None, separator: str | None = None) -> Rows:
    """Read a table of separated values. A row with more fields than the header is a fault of that row.

    Raises:
        DataError: it cannot be decoded, has no separator, or no row.
    """
    encoding, note = find_encoding(file, encoding)
    notes = [note] if note else []
    if separator is None:
        separator = _find_separator(file, encoding)
        if separator != {".csv": ",", ".tsv": "\t"}.get(file.suffix.lower()):
            notes.append(f"{file.name} is separated by {SEPARATORS[separator]}.")
    quoting = _QUOTED if separator != "\t" or _is_quoted(file, encoding) else _PLAIN
    if quoting == _PLAIN:
        notes.append(f"{file.name}: its double quotes are plain characters, except around a whole field.")
    records = _records(file, encoding, separator, quoting)
    first = next(records, None)
    if first is None:
        raise DataError(f"{file}: the file is empty; it needs a line of column names and a line for each text.")
    names = _header(first[1])
    if names is None:
        names = [f"column{number + 1}" for number in range(len(first[1]))]
        notes.append(f"{file.name} has no line of column names: the first line is data. Columns: {', '.join(names)}.")
        records = itertools.chain([first], records)
    return _collect(file, records, names, separator, tuple(notes))


def _collect(file: Path, records: Iterator[Record], names: list[str], separator: str, notes: tuple[str, ...]) -> Rows:
    schema = pa.schema([(name, pa.string()) for name in names])
    batches: list[pa.RecordBatch] = []
    lines: list[int] = []
    faults: dict[int, str] = {}
    while batch := list(itertools.islice(records, _BATCH)):
        for row, (line, fields) in enumerate(batch, start=len(lines)):
            surplus = fields[len(names) :]
            if any(field.strip() for field in surplus):
                faults[row] = (
                    f"{len(fields)} fields where the header names {len(names)}; put texts that contain "
                    f"{separator!r} in double quotes, and write quotes within them twice"
                )
            elif len(fields) > 1 and (lost := max(_swallowed(field, separator) for field in fields)):
                faults[row] = (
                    f"a double quote opened here is not closed where it should be, and hides what comes after it "
                    f"({lost:,} lines); close it, or write it twice"
                )
            batch[row - len(lines)] = (line, fields[: len(names)] + [""] * (len(names) - len(fields)))
        lines += [line for line, _ in batch]
        columns = zip(*(fields for _, fields in batch), strict=True)
        batches.append(pa.record_batch([pa.array(column, pa.string()) for column in columns], schema))
    if not lines:
        raise DataError(f"{file}: there is a line of column names ({', '.join(names)}) and no line after it.")
    return Rows(file.name, pa.Table.from_batches(batches), np.array(lines), faults, notes=notes, fillers=FILLERS)


def _is_quoted(file: Path, encoding: str) -> bool:
    """Whether the quotes between tabs are meant as such. Captions in such files have stray ones (5" wide).

    They are where each is closed before a tab or the end of a line, no field hides records, and the records agree in
    their number of fields as well as they do without quoting.
    """
    widths = Counter[int]()
    try:
        for _, fields in _records(file, encoding, "\t", _QUOTED):
            if any(_swallowed(field, "\t") for field in fields):
                return False
            widths[len(fields)] += 1
        odd = _odd(widths)
        return not odd or odd <= _odd(Counter(len(fields) for _, fields in _records(file, encoding, "\t", _PLAIN)))
    except DataError:
        return False


def _odd(widths: Counter[int]) -> int:
    """How many records have another number of fields than most."""
    return widths.total() - max(widths.values(), default=0)


def _records(file: Path, encoding: str, separator: str, quoting: int) -> Iterator[Record]:
    """The records that are not blank. Without quoting, quotes still go that embrace a whole field.

    Raises:
        DataError: a field is so long that a quote must have been left open.
    """
    strict = separator == "\t" and quoting == _QUOTED
    with file.open(encoding=encoding, newline="") as opened:
        reader = csv.reader(opened, delimiter=separator, quoting=quoting, strict=strict)  # type: ignore[arg-type]
        line = 1
        try:
            for fields in reader:
                if any(fields):
                    yield line, [_unquoted(field) for field in fields] if quoting == _PLAIN else fields
                line = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{file} line {line}: {error}; most likely a double quote is opened and never closed."
            ) from None


def _swallowed(field: str, separator: str) -> int:
    """How many lines of a field are records that an open quote has made part of it: they begin with a picture."""
    lines = field.splitlines()[1:]
    if len(lines) >= _MOST_LINES:
        return len(lines)
    begins = [separator in line and bool(_PICTURE.search(line.partition(separator)[0])) for line in lines]
    return len(lines) - begins.index(True) if any(begins) else 0


def _unquoted(field: str) -> str:
    if len(field) > 1 and field[0] == field[-1] == '"':
        return field[1:-1].replace('""', '"')
    return field


def _header(fields: list[str]) -> list[str] | None:
    """The column names, made unique; None where the line names a picture, and so is no header."""
    if any(_PICTURE.search(field) for field in fields):
        return None
    names: list[str] = []
    for number, field in enumerate(fields, start=1):
        name = clean(field) or f"column{number}"
        names.append(name if name not in names else f"{name}_{number}")
    return names


def _find_separator(file: Path, encoding: str) -> str:
    """The separator that gives most records as many fields as the first has, and the first at least two.

    Raises:
        DataError: none does.
    """
    best, best_score = None, (0.0, 0)
    errors: list[DataError] = []
    for separator, quoting in (*((separator, _QUOTED) for separator in SEPARATORS), ("\t", _PLAIN)):
        try:
            widths = [len(fields) for _, fields in itertools.islice(_records(file, encoding, separator, quoting), 50)]
        except DataError as error:
            errors.append(error)
            continue
        if not widths:
            return ","
        agreement = sum(width == widths[0] for width in widths) / len(widths)
        score = (round(agreement, 1), widths[0])
        if widths[0] > 1 and score > best_score:
            best, best_score = separator, score
    if best is None and errors:
        raise errors[0]
    if best is None:
        with file.open(encoding=encoding) as opened:
            start = opened.readline().strip()[:80]
        known = ", ".join(SEPARATORS.values())
        raise DataError(f"{file}: its first line, {start!r}, is not two or more columns separated by {known}.")
    return best
