"""Files of tables: which are there, and how each kind is read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tuwen.core.errors import DataError
from tuwen.data._tables.delimited import read_delimited
from tuwen.data._tables.records import read_json, read_json_lines
from tuwen.data._tables.rows import Rows

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
_SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
_PART = re.compile(r"-\d+-of-\d+$")
_NAMES = ("captions", "metadata", "annotations", "data")


def find_tables(folder: Path) -> dict[str, list[Path]]:
    """The tables in a folder by name, the parts of one (`train-00000-of-00002.parquet`) together.

    `captions.txt` and the like count as well, because data sets are handed round with tables named so.
    """
    tables: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        suffix = file.suffix.lower()
        table = suffix in SUFFIXES or (suffix == ".txt" and file.stem.lower() in _NAMES)
        if table and file.is_file() and not file.name.startswith("."):
            tables.setdefault(_PART.sub("", file.stem), []).append(file)
    return tables


def best_known(tables: Mapping[str, list[Path]], folder: Path) -> str | None:
    """Of several tables the one whose name says that it is about the pictures."""
    return next((name for name in (*_NAMES, folder.resolve().name) if name in tables), None)


def read_table(files: Sequence[Path], encoding: str | None = None, separator: str | None = None) -> Rows:
    """Read one table; several files only where they are parts of one Parquet table.

    Raises:
        DataError: it is missing, empty, or not what its name says.
    """
    file = files[0]
    if not file.is_file():
        raise DataError(f"{file}: no such file.")
    if file.stat().st_size == 0:
        raise DataError(f"{file}: the file is empty (0 bytes).")
    suffix = file.suffix.lower()
    if suffix in _SPREADSHEETS:
        raise DataError(f"{file}: a spreadsheet; open it and save it as CSV, in UTF-8.")
    if suffix == ".parquet":
        return _read_parquet(files)
    if len(files) > 1:
        raise DataError(f"{', '.join(map(str, files))}: say which one to read with `captions`.")
    if suffix in (".jsonl", ".ndjson"):
        return read_json_lines(file, encoding)
    if suffix == ".json":
        return read_json(file, encoding)
    return read_delimited(file, encoding, separator)


def _read_parquet(files: Sequence[Path]) -> Rows:
    """Texts go to memory; pictures to the cache of `datasets`, from where they are mapped."""
    name = files[0].name if len(files) == 1 else f"{_PART.sub('', files[0].stem)}.parquet"
    try:
        rows = Rows(name, pq.read_schema(files[0]).empty_table())
        if not any(rows.holds_pictures(column) for column in rows.columns):
            return Rows(name, pa.concat_tables(map(pq.read_table, files)))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{files[0]}: not a Parquet file that can be read: {error}") from None
    import datasets

    try:
        return Rows(name, datasets.Dataset.from_parquet([str(file) for file in files]).data)
    except (datasets.exceptions.DatasetGenerationError, pa.ArrowException, OSError) as error:
        raise DataError(f"{files[0]}: the Parquet file cannot be read: {error.__cause__ or error}") from None
