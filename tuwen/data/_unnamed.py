"""Pictures that lie in a folder, and that no row of its tables names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tuwen.data._pictures import path_of, pictures_in
from tuwen.data._samples import RowSource
from tuwen.data._splits import coded
from tuwen.data._tables.rows import Rows


def unnamed_pictures(folder: Path, splits: Mapping[str, object]) -> list[str]:
    """How many they are, with an example. A name that may mean several pictures names each of them."""
    pictures = {os.path.abspath(folder / picture): picture for picture in pictures_in(folder)}
    left = set(pictures)
    readers = {id(source.reader): source.reader for source in splits.values() if isinstance(source, RowSource)}
    for reader in readers.values():
        rows, column = reader.rows, reader.columns.image
        if reader.finder is not None and isinstance(rows, Rows):
            left = reader.finder.unnamed(left, coded(rows, column, path_of)[0])
    if not left:
        return []
    example = pictures[min(left)]
    return [
        f"{folder}: {len(left):,} of its {len(pictures):,} pictures are in no row of the table, and are not used "
        f"({example}, for example)."
    ]
