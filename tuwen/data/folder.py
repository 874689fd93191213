"""`folder`: a folder of pictures with a table of texts, or with a subfolder for each class.

A table is a CSV, TSV, JSON, JSON Lines or Parquet file; several rows, columns or list items may speak of one picture.
Without one, a text file beside each picture (`cat.jpg`, `cat.txt`) has its captions, a line each; and without those,
the name of the subfolder is the class. Subfolders (or tables) called train, validation and test are the splits, unless
other subfolders show that they are classes, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuwen.core.errors import DataError
from tuwen.data import NotedSplits
from tuwen.data._columns import TableConfig
from tuwen.data._pictures import SUFFIXES, PictureFinder, pictures_in
from tuwen.data._split_folders import has_text, places_of_splits, split_folders
from tuwen.data._splits import build_splits
from tuwen.data._tables.encoding import find_encoding, known_encoding
from tuwen.data._tables.files import best_known, find_tables, read_table
from tuwen.data._tables.rows import Rows
from tuwen.data._unnamed import unnamed_pictures
from tuwen.data._vocabulary import SPLIT_NAMES

Files = dict[str | None, list[Path]]
"""The files of one table (under None), or of a table for each split."""


class Config(TableConfig):
    """Which folder, and what its table means.

    path: the folder of pictures.
    captions: the table, as a path from here or from the folder; looked for in the folder where it is left out.
    encoding: of the table, or of the text files beside the pictures (`gb18030`); else found.
    separator: between the fields of a CSV file; else found.
    """

    path: Path
    captions: Path | None = None
    encoding: str | None = None
    separator: str | None = None


def build(config: Config, context: Any = None) -> NotedSplits:
    """`train` and `validation`, or the splits that the data comes in.

    Raises:
        DataError: there is no such folder, table or column, or nothing is said about the pictures.
    """
    folder = config.path.expanduser()
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder of pictures: say where yours is with --data (in a recipe, data.path)."
        )
    files, notes = ({None: [_given(config.captions, folder)]}, []) if config.captions else _found(folder)
    if not files:
        return _without_table(folder, config)
    splits = build_splits(
        {
            split: (read_table(parts, config.encoding, config.separator), _finder(folder, split, parts[0].parent))
            for split, parts in files.items()
        },
        config,
    )
    read = ", ".join(str(part) for parts in files.values() for part in parts)
    return splits.noted(f"The texts are read from {read}.", *notes, *unnamed_pictures(folder, splits))


def _finder(folder: Path, split: str | None, beside: Path) -> PictureFinder:
    """Who finds the pictures of a table. beside: the table's own folder.

    A split's table is about its own pictures: where a folder has its name, those of other splits are not looked in.
    """
    spoken = {place: _split_in(place.name) for place in folder.iterdir() if place.is_dir()} if split else {}
    own = [place for place, name in spoken.items() if name == split]
    apart = [place for place, name in spoken.items() if own and name not in (None, split)]
    return PictureFinder(folder, (beside, folder) if beside in own else (folder, beside), apart)


def _given(captions: Path, folder: Path) -> Path:
    places = (captions.expanduser(), folder / captions)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        there = ", ".join(str(file) for files in find_tables(folder).values() for file in files) or "none"
        raise DataError(f"{captions}: no such table of captions, here or in {folder}. Tables there: {there}.")
    return found


def _found(folder: Path) -> tuple[Files, list[str]]:
    """The tables in the folder, in its subfolder `data`, or in a subfolder for each split; and what is left out."""
    for place in (folder, folder / "data"):
        if place.is_dir() and (tables := find_tables(place)):
            return _chosen(tables, place), []
    places = split_folders(folder)
    inside = {name: _chosen(find_tables(place), place) for name, place in places.items()}
    found: Files = {name: next(iter(tables.values())) for name, tables in inside.items() if len(tables) == 1}
    silent = {name: pictures_in(place) for name, place in places.items() if found and name not in found}
    return found, [
        f"{places[name]}: its {len(pictures):,} pictures are not used, because it has no table of its own."
        for name, pictures in silent.items()
    ]


def _chosen(tables: Mapping[str, list[Path]], place: Path) -> Files:
    """The only table, a table for each split, or the one whose name is known.

    Raises:
        DataError: there are several, and nothing tells which is meant.
    """
    splits = {name: split for name in tables if (split := _split_in(name))}
    if len(tables) > 1 and len(set(splits.values())) == len(tables):
        return {splits[name]: files for name, files in tables.items()}
    name = next(iter(tables)) if len(tables) == 1 else best_known(tables, place)
    if name is not None:
        return {None: tables[name]}
    if not tables:
        return {}
    listed = ", ".join(str(file) for files in tables.values() for file in files)
    raise DataError(f"{place}: there are several tables, {listed}; say with `captions` which has the texts.")


def _split_in(name: str) -> str | None:
    """The split that a file's name speaks of: `captions_val2017` of validation."""
    words = [word.rstrip("0123456789") for word in re.split(r"[\W_]+", name.lower())]
    whole = SPLIT_NAMES.get(name.lower())
    return whole or next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)


def _without_table(folder: Path, config: Config) -> NotedSplits:
    """Captions from the text files beside the pictures, else classes from the names of the subfolders.

    Raises:
        DataError: there are no pictures, or neither of these says anything about them.
    """
    _refuse_columns(folder, config)
    places, notes = places_of_splits(folder)
    pictures = {name: pictures_in(place) for name, place in places.items()} if places else {None: pictures_in(folder)}
    every = [(places.get(name or "", folder), picture) for name, found in pictures.items() for picture in found]
    if not every:
        raise DataError(f"{folder}: no pictures in it ({', '.join(SUFFIXES)}).")
    if any(has_text(place / picture) for place, picture in every):
        note, column = "The captions are read from the text file beside each picture, a line each.", "captions"
        settings = config.model_copy(update={"image_column": "image", "caption_columns": ("captions",)})
    else:
        classes = sorted({picture.parent.as_posix() for _, picture in every} - {"."})
        for place in places.values() or [folder]:
            _refuse_empty_classes(place, classes)
        if len(classes) < 2 and not (classes and config.templates):
            raise DataError(
                f"{folder}: nothing is said about its {len(every):,} pictures. It has no table (CSV, TSV, JSON, "
                "JSONL, Parquet; else name it with `captions`), no text file beside a picture, no subfolder a class."
            )
        shown = ", ".join(classes[:8]) + (", ..." if len(classes) > 8 else "")
        note, column = f"The classes are the names of {len(classes):,} subfolders: {shown}.", "label"
        settings = config.model_copy(update={"image_column": "image", "label_column": "label", "caption_columns": ()})
    tables = {
        name: (_rows(place, found, column, config.encoding), PictureFinder(place))
        for name, found in pictures.items()
        for place in [places.get(name or "", folder)]
        if found
    }
    return build_splits(tables, settings).noted(*notes, note)


def _refuse_columns(folder: Path, config: Config) -> None:
    named = [name for name in TableConfig.model_fields if name.endswith(("_column", "_columns"))]
    given = [name for name in named if getattr(config, name) is not None]
    if given:
        raise DataError(
            f"{folder}: `{given[0]}` is set, and there is no table in the folder; name one with `captions`."
        )


def _refuse_empty_classes(folder: Path, classes: list[str]) -> None:
    """Find subfolders that look like a class and have no picture, there or below, nor in another split.

    Raises:
        DataError: there is one.
    """
    within = {part.as_posix() for name in classes for part in (Path(name), *Path(name).parents)}
    empty = sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.is_dir() and entry.name[0] not in "._" and entry.name not in within
    )
    if empty:
        raise DataError(
            f"{folder / empty[0]}: no picture in it, so the class {empty[0]!r} has no sample: give it pictures, or "
            "take the folder away."
        )


def _rows(folder: Path, pictures: list[Path], column: str, encoding: str | None) -> Rows:
    faults: dict[int, str] = {}
    values: list[list[str]] | list[str | None]
    if column == "captions":
        values, kind = _captions_beside(folder, pictures, encoding, faults), pa.list_(pa.string())
    else:
        values, kind = [_class_of(picture) for picture in pictures], pa.string()
    table = pa.table({"image": pa.array([str(picture) for picture in pictures]), column: pa.array(values, kind)})
    return Rows(folder.name or str(folder), table, faults=faults)


def _captions_beside(
    folder: Path, pictures: list[Path], encoding: str | None, faults: dict[int, str]
) -> list[list[str]]:
    """The lines of the text file beside each picture. One that cannot be decoded is a fault of its picture."""
    if encoding is not None:
        known_encoding(encoding)
    found: list[list[str]] = []
    for row, picture in enumerate(pictures):
        file = (folder / picture).with_suffix(".txt")
        try:
            text = file.read_text(encoding=find_encoding(file, encoding)[0]) if file.is_file() else ""
        except DataError as error:
            faults[row], text = str(error), ""
        found.append(text.splitlines())
    return found


def _class_of(picture: Path) -> str | None:
    return picture.parent.as_posix() if picture.parent != Path() else None
