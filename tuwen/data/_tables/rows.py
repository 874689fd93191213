"""A table whose rows are read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

PICTURE_FIELDS = frozenset({"bytes", "path"})


@dataclass(frozen=True)
class Rows:
    """A table of an Arrow kind, in memory or mapped from disk.

    name: the file or data set, for messages.
    table: what holds the columns (`pa.Table`, or the like of `datasets`).
    lines: the line of the file at which each row begins, where rows are lines.
    faults: rows that cannot be used, and why.
    classes: the names behind the numbers of a column of classes.
    notes: what was guessed to read it.
    fillers: whole cells that stand for a missing text, in small letters, where the file has no other way to write it.
    """

    name: str
    table: Any
    lines: NDArray[np.int64] | None = None
    faults: Mapping[int, str] = field(default_factory=dict)
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    fillers: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def columns(self) -> list[str]:
        """The columns; a field of a nested one by its path (`names.en`)."""
        return [name for column in self.table.schema for name in _leaves(column.name, column.type)]

    def holds_pictures(self, column: str) -> bool:
        """Whether the column holds the bytes of pictures, and not their names."""
        return any(name == column and _is_picture(kind) for field in self.table.schema for name, kind in _typed(field))

    def cell(self, row: int, column: str) -> Any:
        """One value, as Python sees it; a class as its name."""
        held, path = self._found(column)
        return self._value(held[row], column, path)

    def values(self, column: str) -> Iterator[Any]:
        """The whole column, value by value."""
        held, path = self._found(column)
        return (self._value(scalar, column, path) for scalar in held)

    def _found(self, column: str) -> tuple[Any, list[str]]:
        root, *path = [column] if column in self.table.schema.names else column.split(".")
        return self.table.column(root), path

    def _value(self, scalar: Any, column: str, path: Sequence[str]) -> Any:
        value = scalar.as_py()
        for step in path:
            value = _step(value, step)
        names = self.classes.get(column)
        if names is not None and isinstance(value, int):
            return names[value] if 0 <= value < len(names) else None
        return value

    def without_fillers(self, columns: Sequence[str]) -> tuple[Rows, list[str]]:
        """The table with what stands for a missing text taken out of these columns, and a sentence that counts it."""
        table, notes = self.table, []
        for name in columns if self.fillers else ():
            held = table.column(name)
            missing = pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(held)), pa.array(self.fillers))
            if count := pc.sum(missing).as_py():
                filled = pc.if_else(missing, pa.scalar(None, held.type), held)
                table = table.set_column(table.schema.get_field_index(name), name, filled)
                shown = ", ".join(map(repr, pc.unique(pc.filter(held, missing)).to_pylist()[:5]))
                notes.append(f"{self.name}: {count:,} cells of column {name!r} are taken for empty: {shown}.")
        return replace(self, table=table), notes

    def where(self, row: int) -> str:
        """Where a row stands, for messages: `captions.csv line 17`."""
        return f"{self.name} row {row}" if self.lines is None else f"{self.name} line {self.lines[row]}"


def _step(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_step(item, name) for item in value]
    return value.get(name) if isinstance(value, dict) else None


def _leaves(name: str, kind: pa.DataType) -> list[str]:
    return [leaf for leaf, _ in _walk(name, kind)]


def _typed(column: pa.Field) -> list[tuple[str, pa.DataType]]:
    return _walk(column.name, column.type)


def _walk(name: str, kind: pa.DataType) -> list[tuple[str, pa.DataType]]:
    """The leaves of a column with their types; a picture is a leaf."""
    inner = kind.value_type if _is_list(kind) else kind
    if not pa.types.is_struct(inner) or _is_picture(kind):
        return [(name, kind)]
    return [leaf for field in inner for leaf in _walk(f"{name}.{field.name}", field.type)]


def _is_picture(kind: pa.DataType) -> bool:
    """Bytes, or what `datasets` keeps a picture in: a struct of its bytes and its path."""
    inner = kind.value_type if _is_list(kind) else kind
    if pa.types.is_struct(inner):
        return {field.name for field in inner} == PICTURE_FIELDS
    return bool(pa.types.is_binary(inner) or pa.types.is_large_binary(inner) or pa.types.is_binary_view(inner))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
