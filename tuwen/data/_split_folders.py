"""Which subfolders are splits, and which are classes that happen to be called like one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tuwen.core.errors import DataError
from tuwen.data._pictures import pictures_in
from tuwen.data._vocabulary import SPLIT_NAMES


def split_folders(folder: Path) -> dict[str, Path]:
    """The subfolders that are called like splits.

    Raises:
        DataError: two are called like the same one.
    """
    places: dict[str, Path] = {}
    for place in sorted(folder.iterdir()):
        name = SPLIT_NAMES.get(place.name.lower())
        if name is None or not place.is_dir():
            continue
        if name in places:
            raise DataError(
                f"{folder}: {places[name].name} and {place.name} are both called like the split {name}: put their "
                "pictures together, or give one of them another name."
            )
        places[name] = place
    return places


def places_of_splits(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The subfolders that are splits of a folder without tables, and what was guessed.

    Where other subfolders have pictures, too, `train` may be a class of vehicles. It is a split then only if something
    is said about its pictures within it, and a set without one cannot be trained on.

    Raises:
        DataError: it cannot be told.
    """
    places = split_folders(folder)
    called = {place.name for place in places.values()}
    pictures = pictures_in(folder) if places else []
    tops = [picture.parts[0] if len(picture.parts) > 1 else "" for picture in pictures]
    others = Counter(top for top in tops if top not in called)
    if not others:
        return places, []
    names = ", ".join(sorted(called))
    listed = ", ".join(f"{count:,} in {folder / top}" for top, count in others.items())
    if "train" in places and _says_something(places["train"]):
        return places, [f"The splits are {names}; the pictures beside them are not used: {listed}."]
    inner = {picture.parts[0] for place in places.values() for picture in pictures_in(place)}
    if inner & others.keys() or "" in others or any(has_text(folder / picture) for picture in pictures):
        raise DataError(
            f"{folder}: there are pictures in {names}, called like a split, and beside it: {listed}. If it is a split, "
            f"move those to train on into {folder / 'train'}; if not, give it another name."
        )
    return {}, [f"{folder}: {names}: taken for classes, not for splits, because there are others beside."]


def has_text(picture: Path) -> bool:
    """Whether a text file lies beside a picture."""
    return picture.with_suffix(".txt").is_file()


def _says_something(place: Path) -> bool:
    """Whether the pictures in a folder have classes of their own, or text files."""
    pictures = pictures_in(place)
    classes = {picture.parent for picture in pictures} - {Path()}
    return len(classes) > 1 or any(has_text(place / picture) for picture in pictures)
