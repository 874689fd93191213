"""From what a table says of a picture to the picture."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuwen.core.errors import DataError, SampleError
from tuwen.core.sample import Picture

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jp2", ".ppm", ".qoi", ".ico")
_ENDINGS = ("", ".jpg", ".png", ".jpeg", ".webp")
_MOST_ROOTS = 32


def has_picture_suffix(name: str) -> bool:
    """Whether a file's name looks like a picture's."""
    return name.lower().endswith(SUFFIXES)


def looks_like_picture(text: str) -> bool:
    """Whether a text looks like the name of a picture: `a.jpg`, or `a.jpg#0`, which numbers the captions of one."""
    return has_picture_suffix(re.sub(r"#\d+$", "", text))


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder and below, as paths from it, in order; hidden ones are left out."""
    found = []
    for place, inside, files in os.walk(folder):
        inside[:] = sorted(name for name in inside if not name.startswith((".", "__MACOSX")))
        names = sorted(name for name in files if has_picture_suffix(name) and not name.startswith("."))
        found += [Path(os.path.relpath(os.path.join(place, name), folder)) for name in names]
    return found


class PictureFinder:
    """Finds the files of pictures that a table names.

    The names may be paths from the folder, from the table's own folder, or from one of its subfolders; without their
    ending; with backslashes; or paths of another machine, of which only the last part counts here. `settle` finds out
    which, once, so that every name is understood in the same way.
    """

    def __init__(self, folder: Path, beside: Path | None = None) -> None:
        self.folder = folder
        subfolders = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir()) if folder.is_dir() else []
        first = [str(folder), str(beside or folder)]
        self._roots = list(dict.fromkeys(first + subfolders[:_MOST_ROOTS]))
        self._ending, self._last_part = "", False

    def is_there(self, text: str) -> bool:
        """Whether a text without a picture's ending names a picture that is there. It asks the disk, often."""
        plausible = 0 < len(text) < 200 and not any(map(str.isspace, text))
        return plausible and any(
            os.path.isfile(os.path.join(root, text + ending)) for root in self._roots for ending in _ENDINGS[1:]
        )

    def settle(self, names: Sequence[str], table: str) -> list[str]:
        """Find out how the names of a table are meant, from some of them; a sentence for each thing found.

        Raises:
            DataError: none of them is a picture that is there.
        """
        best = (False, "")
        hits = [name for name in names if self._look(name, *best)]
        if len(hits) * 2 <= len(names):
            ways = [(last_part, ending) for last_part in (False, True) for ending in _ENDINGS]
            found = {way: [name for name in names if self._look(name, *way)] for way in ways}
            best = max(ways, key=lambda way: len(found[way]))  # the first of equals, and so the plainest
            hits = found[best]
        if not hits:
            raise DataError(self._nothing_found(names, table))
        self._last_part, self._ending = best
        used = {root: sum(os.path.isfile(self._path(root, name, *best)) for name in hits) for root in self._roots}
        self._roots = [root for root in self._roots if used[root]]
        return self._said(names, len(hits), table)

    def find(self, name: str, where: str) -> Path:
        """The file that a name means.

        Raises:
            SampleError: there is no such file.
        """
        path = self._look(name, self._last_part, self._ending)
        if path is None:
            looked = self._path(self._roots[0], name, self._last_part, self._ending)
            raise SampleError(name, f"no such picture: {looked} ({where})")
        return Path(path)

    def _look(self, name: str, last_part: bool, ending: str) -> str | None:
        paths = (self._path(root, name, last_part, ending) for root in self._roots)
        return next((path for path in paths if os.path.isfile(path)), None)

    @staticmethod
    def _path(root: str, name: str, last_part: bool, ending: str) -> str:
        plain = re.sub(r"#\d+$", "", name).replace("\\", "/") if "#" in name or "\\" in name else name
        return os.path.join(root, (plain.rsplit("/", 1)[-1] if last_part else plain) + ending)

    def _said(self, names: Sequence[str], hits: int, table: str) -> list[str]:
        notes = []
        if self._roots != [str(self.folder)]:
            notes.append(f"{table}: its pictures are looked for in {', '.join(self._roots)}.")
        if self._ending:
            notes.append(f"{table}: the names of its pictures lack their ending, {self._ending}.")
        if self._last_part:
            notes.append(f"{table}: of the paths of its pictures only the last part is used.")
        if hits < len(names):
            notes.append(f"{table}: of {len(names)} pictures looked for, {len(names) - hits} are not there.")
        return notes

    def _nothing_found(self, names: Sequence[str], table: str) -> str:
        if all(re.match(r"https?://", name) for name in names):
            return (
                f"{table}: its pictures are addresses ({names[0]}), and nothing is downloaded in training. Fetch "
                "them first, into a folder or into tars (for example with img2dataset), and give that as `path`."
            )
        looked = self._path(self._roots[0], names[0], False, "")
        return (
            f"{table}: none of {len(names)} pictures looked for is there; the first was {looked}. "
            "Set `path` to the folder that the names start from, or `image_column` to another column."
        )


def name_of(cell: Any) -> str | None:
    """The name of the picture in a cell; None where there is none, or the picture itself."""
    if isinstance(cell, list) and len(cell) == 1:
        return name_of(cell[0])
    return cell.strip() or None if isinstance(cell, str) else None


def picture_of(cell: Any, finder: PictureFinder | None, where: str) -> Picture:
    """The picture that a cell holds or names.

    Raises:
        SampleError: there is none, or several, or no such file.
    """
    if isinstance(cell, list):
        if len(cell) != 1:
            raise SampleError(where, f"{len(cell)} pictures in one row; a sample has one")
        return picture_of(cell[0], finder, where)
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes):
        return cell
    name = name_of(cell)
    if name is None or finder is None:
        raise SampleError(where, "it has no picture")
    return finder.find(name, where)
