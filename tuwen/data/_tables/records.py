"""JSON and JSON Lines: nested records become columns named by their path."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuwen.core.errors import DataError
from tuwen.data._tables.encoding import find_encoding
from tuwen.data._tables.rows import Rows
from tuwen.data._text import is_missing

_BATCH = 10_000

Cells = dict[str, list[str]]
"""One record: the texts at each path."""


def read_json_lines(file: Path, encoding: str | None = None) -> Rows:
    """One JSON object a line. A line that is none is a fault of that row.

    Raises:
        DataError: the file cannot be decoded, or has no row.
    """
    encoding, note = find_encoding(file, encoding)
    lines: list[int] = []
    faults: dict[int, str] = {}

    def records(lines_of_file: Iterable[str]) -> Iterator[Cells]:
        for number, line in enumerate(lines_of_file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError("not an object in braces, {...}")
            except (ValueError, RecursionError) as error:
                faults[len(lines)] = f"broken JSON: {_within_the_line(error)}"
                record = {}
            lines.append(number)
            yield flat(record)

    with file.open(encoding=encoding) as opened:
        table = to_table(records(opened))
    if not lines:
        raise DataError(f"{file}: the file is empty; it needs a JSON object on each line.")
    return Rows(file.name, table, np.array(lines), faults, notes=(note,) if note else ())


def read_json(file: Path, encoding: str | None = None) -> Rows:
    """A JSON file: a list of objects, the annotations of COCO, or an object that holds either.

    Raises:
        DataError: the file cannot be decoded or parsed, or holds no records.
    """
    encoding, note = find_encoding(file, encoding)
    try:
        content = json.loads(file.read_text(encoding=encoding))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: broken JSON: {error}. (One object a line is JSON Lines: name it .jsonl.)") from None
    records = _find_records(content)
    if not records:
        raise DataError(f"{file}: no records found; it should be a list of objects, one a picture or a text.")
    return Rows(file.name, to_table(map(flat, records)), notes=(note,) if note else ())


def _within_the_line(error: Exception) -> str:
    """What is wrong with a line; the library counts lines within it, which would be taken for those of the file."""
    return f"{error.msg}, at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else str(error)


def _find_records(content: Any) -> list[dict[str, Any]]:
    """The records of the layouts that are in use."""
    if isinstance(content, list):
        return [record for record in content if isinstance(record, dict)]
    if not isinstance(content, dict):
        return []
    if {"images", "annotations"} <= content.keys():
        return _coco(content)
    held = [value for value in content.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if held:
        return [record for record in max(held, key=len) if isinstance(record, dict)]
    if content and all(isinstance(value, dict) for value in content.values()):
        return [{"key": key, **value} for key, value in content.items()]
    if content and all(isinstance(value, list) for value in content.values()) and _even(content):
        return [dict(zip(content, row, strict=True)) for row in zip(*content.values(), strict=True)]
    return [{"image": key, "caption": value} for key, value in content.items()]


def _even(columns: Mapping[str, list[Any]]) -> bool:
    """Whether these lists are the columns of a table, and not the captions of pictures."""
    return len({len(column) for column in columns.values()}) == 1 and not any("." in name for name in columns)


def _coco(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The annotations of COCO, each with the file of its picture."""
    files = {image["id"]: image for image in content["images"] if isinstance(image, dict) and "id" in image}
    return [
        {"file_name": files.get(annotation.get("image_id"), {}).get("file_name"), **annotation}
        for annotation in content["annotations"]
        if isinstance(annotation, dict)
    ]


def flat(record: Mapping[str, Any]) -> Cells:
    """The texts of a nested record by their path."""
    cells: Cells = {}
    _flatten("", record, cells)
    return cells


def _flatten(path: str, value: Any, cells: Cells) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _flatten(f"{path}.{name}" if path else str(name), inner, cells)
    elif isinstance(value, list):
        for inner in value:
            if not isinstance(inner, list):
                _flatten(path, inner, cells)
    elif not is_missing(value):
        cells.setdefault(path or "value", []).append(_string(value))


def _string(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    # Half of a character written as two escapes is no text: it could not be encoded.
    return str(value).encode("utf-8", "ignore").decode("utf-8")


def to_table(records: Iterable[Cells]) -> pa.Table:
    """Columns in the order in which they appear first; of strings, or of lists of strings where a cell has several."""
    batches: list[pa.Table] = []
    remaining = iter(records)
    while batch := list(itertools.islice(remaining, _BATCH)):
        names = dict.fromkeys(name for record in batch for name in record)
        columns = {name: pa.array([record.get(name) for record in batch], pa.list_(pa.string())) for name in names}
        marker = pa.array([None] * len(batch), pa.null())
        batches.append(pa.table({**columns, _MARKER: marker}))  # it keeps the count of rows that have no column at all
    if not batches:
        return pa.table({})
    table = pa.concat_tables(batches, promote_options="default").drop_columns([_MARKER])
    return pa.table({name: _plain(table.column(name)) for name in table.schema.names})


_MARKER = "\0"


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if (pc.max(pc.list_value_length(column)).as_py() or 0) > 1:
        return column
    return pa.chunked_array([pc.list_flatten(_filled(chunk)) for chunk in column.chunks], pa.string())


def _filled(chunk: pa.ListArray) -> pa.ListArray:
    """Missing lists as lists of one null, so that flattening keeps the rows."""
    return pc.if_else(pc.is_null(chunk), pa.scalar([None], pa.list_(pa.string())), chunk)
