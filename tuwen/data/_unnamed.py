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
    start = os.path.abspath(folder)
    pictures = {os.path.join(start, picture): picture for picture in pictures_in(folder)}
    left = set(pictures)
    readers = {id(source.reader): source.reader for source in splits.values() if isinstance(source, RowSource)}
    for reader in readers.values():
        assert isinstance(reader.rows, Rows)
        assert reader.finder is not None
        names, _ = coded(reader.rows, reader.columns.image, path_of)
        left = reader.finder.unnamed(left, names) if names else set()  # a table that holds pictures needs no others
    if not left:
        return []
    example = pictures[min(left)]
    return [
        f"{folder}: {len(left):,} of its {len(pictures):,} pictures are in no row of the table, and are not used "
        f"({example}, for example)."
    ]
