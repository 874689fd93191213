"""From what a table says of a picture to the picture."""

from __future__ import annotations

import os
import posixpath
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuwen.core.errors import DataError, SampleError
from tuwen.core.sample import Picture
from tuwen.data._alike import Alike, folded

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jp2", ".ppm", ".qoi", ".ico")
_ENDINGS = ("", ".jpg", ".png", ".jpeg", ".webp")
_MOST_ROOTS = 32
_LOOKED_FOR = 200


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
        beneath = Path(os.path.relpath(place, folder))
        found += [beneath / name for name in names]
    return found


@dataclass(frozen=True)
class _Way:
    """How the names of a table are meant.

    skipped: parts at their beginning that do not count: where the folder lay on another machine. The last part counts.
    ending: what they lack.
    """

    skipped: int = 0
    ending: str = ""

    def kept(self, name: str) -> str:
        """What counts of a name."""
        parts = _parts(name)
        return "/".join(parts[min(self.skipped, len(parts) - 1) :]).lstrip("/" if self.skipped else "")

    def path(self, root: str, name: str) -> str:
        """Where a name leads to from a folder."""
        return os.path.join(root, self.kept(name) + self.ending)


@dataclass(frozen=True)
class _Tried:
    """What came of a way.

    roots: where pictures are. clear: the picture of each name that means one. unclear: those of each that fits several.
    alike: those of the clear ones that are there in another spelling, or with an ending.
    """

    way: _Way
    roots: tuple[str, ...]
    clear: Mapping[str, str]
    unclear: Mapping[str, Sequence[str]]
    alike: Mapping[str, str]

    @property
    def exact(self) -> int:
        """How many names are there just as they are written."""
        return len(self.clear) - len(self.alike)


class PictureFinder:
    """Finds the files of pictures that a table names.

    The names may be paths from the folder, from the table's own folder, or from one of its subfolders; without their
    ending; with backslashes; or paths of another machine, whose beginning does not count here. `settle` finds out
    which, once, so that every name is understood in the same way. A name that is not there may be there in another
    spelling (`IMG_1.JPG`, `img_1.jpg`), or with another ending. A name that fits several pictures means none.

    Args:
        folder: of the pictures.
        first: where names start from, by rank: the folder and the table's own; else the folder alone.
        apart: subfolders that are not looked in, because they are another split's.
    """

    def __init__(self, folder: Path, first: Sequence[Path] = (), apart: Collection[Path] = ()) -> None:
        self.folder = folder
        inside = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir()) if folder.is_dir() else []
        inside = [path for path in inside if Path(path) not in apart]
        self._first = list(dict.fromkeys(map(str, first or (folder,))))
        self._roots = list(dict.fromkeys(self._first + inside[:_MOST_ROOTS]))
        self._way, self._shared, self._alike = _Way(), frozenset[str](), Alike(has_picture_suffix)

    def is_there(self, text: str) -> bool:
        """Whether a text without a picture's ending names a picture that is there. It asks the disk, often."""
        plausible = 0 < len(text) < 200 and not any(map(str.isspace, text))
        return plausible and any(self._alike.pictures(root, "/".join(_parts(text))) for root in self._roots)

    def settle(self, names: Sequence[str], table: str) -> list[str]:
        """Find out how the names of a table are meant, by looking for some of them; a sentence for each thing found.

        Raises:
            DataError: none of them is a picture that is there, or each fits several.
        """
        some = [names[number] for number in np.unique(np.linspace(0, len(names) - 1, _LOOKED_FOR).astype(int))]
        best = self._try(_Way(), some)
        if best.exact * 2 <= len(some):
            endings = _ENDINGS[:1] if all(map(looks_like_picture, some)) else _ENDINGS
            ways = [_Way(skipped, end) for skipped in range(max(len(_parts(name)) for name in some)) for end in endings]
            tried = [self._try(way, some) for way in ways]  # the plainest first, and so taken of equals
            best = max(tried, key=lambda found: (len(set(found.clear.values())), found.exact, len(found.unclear)))
        if not best.clear:
            raise DataError(self._unclear(best, table) if best.unclear else self._nothing_found(some, table))
        self._way, self._roots = best.way, list(best.roots)
        if self._way.skipped:
            ends = Counter(self._way.kept(name) for name in {"/".join(_parts(name)) for name in names})
            self._shared = frozenset(end for end, count in ends.items() if count > 1)
        return [f"{table}: {said}." for said in self._said(len(some), best)]

    def find(self, name: str, where: str) -> Path:
        """The file that a name means.

        Raises:
            SampleError: there is no such file, or several, or it is another name's as well.
        """
        found = self._files(self._roots, self._way, name)
        if not found:
            raise SampleError(name, f"no such picture: {self._way.path(self._roots[0], name)} ({where})")
        mend = f"write its path from {self.folder} ({where})"
        if len(found) > 1:
            raise SampleError(name, f"it may be {' or '.join(found)}; {mend}")
        if self._way.kept(name) in self._shared:
            raise SampleError(name, f"it may be {found[0]}, and so may another path that ends in the same way; {mend}")
        return Path(found[0])

    def _try(self, way: _Way, names: Sequence[str]) -> _Tried:
        has = {root: {name for name in names if os.path.isfile(way.path(root, name))} for root in self._roots}
        missing = set(names).difference(*has.values())
        for root in self._roots:
            has[root] |= {name for name in missing if self._alike.pictures(root, way.kept(name))}
        roots = tuple(root for root in self._roots if has[root] and not self._repeats(root, has))
        found = {name: self._files(roots, way, name) for name in names}
        clear = {name: files[0] for name, files in found.items() if len(files) == 1}
        unclear = {name: files for name, files in found.items() if len(files) > 1}
        return _Tried(way, roots, clear, unclear, {name: clear[name] for name in clear if name in missing})

    def _repeats(self, root: str, has: Mapping[str, set[str]]) -> bool:
        """Whether a folder, of thumbnails perhaps, has names of one that ranks before it, which has as many or more."""
        before = self._first[: self._first.index(root)] if root in self._first else self._first
        return any(has[root] & has[other] and len(has[other]) >= len(has[root]) for other in before)

    def first_of_each(self, names: Sequence[str]) -> NDArray[np.int64]:
        """For each name the place of the first that means the same file: `A.jpg` and `a.jpg`, where one of them is."""
        firsts, spellings = np.arange(len(names)), Counter(map(folded, names))
        first: dict[tuple[str, ...], int] = {}
        for place, name in enumerate(names if len(spellings) < len(names) else ()):
            if spellings[folded(name)] > 1 and (files := self._files(self._roots, self._way, name)):
                firsts[place] = first.setdefault(tuple(files), place)
        return firsts

    def unnamed(self, pictures: set[str], names: Sequence[str]) -> set[str]:
        """Those of the pictures, as absolute paths, that none of a table's names may mean."""
        kept, roots = [self._way.kept(name) for name in names], [os.path.abspath(root) for root in self._roots]
        said = {os.path.normpath(os.path.join(root, name)) for root in roots for name in kept}
        said |= {path + self._way.ending for path in said}
        left = pictures - said
        alike = set(map(folded, said)) if left else set()  # most tables name their pictures just as they are
        return {path for path in left if alike.isdisjoint((folded(path), folded(os.path.splitext(path)[0])))}

    def _files(self, roots: Sequence[str], way: _Way, name: str) -> list[str]:
        """The files that a name may mean, in another spelling where it is not there; one by several links is one."""
        there = [path for path in dict.fromkeys(way.path(root, name) for root in roots) if os.path.isfile(path)]
        there = there or [path for root in roots for path in self._alike.pictures(root, way.kept(name))]
        return there if len(there) < 2 else list({os.path.realpath(path): path for path in there}.values())

    def _said(self, count: int, found: _Tried) -> list[str]:
        way, notes = found.way, []
        if self._roots != [str(self.folder)]:
            notes.append(f"its pictures are looked for in {', '.join(self._roots)}")
        if way.ending:
            notes.append(f"the names of its pictures lack their ending, {way.ending}")
        if found.alike:
            name, file = next(iter(found.alike.items()))
            notes.append(
                f"of {count} pictures looked for, {len(found.alike)} are there in another spelling or with an ending "
                f"({name} is {os.path.basename(file)})"
            )
        if way.skipped:
            short = all(len(_parts(name)) <= way.skipped + 1 for name in found.clear)
            part = f"what comes before {way.kept(next(iter(found.clear)))} and the like is left out"
            notes.append(f"of the paths of its pictures {'only the last part is used' if short else part}")
        if self._shared:
            notes.append(f"{len(self._shared):,} pictures are not used, because several of its paths would mean each")
        if found.unclear:
            notes.append(
                f"of {count} pictures looked for, {len(found.unclear)} {_where(found.unclear)}, and are not used"
            )
        if missing := count - len(found.clear) - len(found.unclear):
            notes.append(f"of {count} pictures looked for, {missing} are not there")
        return notes

    def _unclear(self, found: _Tried, table: str) -> str:
        name, files = next(iter(found.unclear.items()))
        return (
            f"{table}: which pictures it means cannot be told: {name} may be {' or '.join(files)}. Write their paths "
            f"from {self.folder} into it, or set `path` to the folder that is meant."
        )

    def _nothing_found(self, names: Sequence[str], table: str) -> str:
        if all(re.match(r"https?://", name) for name in names):
            return (
                f"{table}: its pictures are addresses ({names[0]}), and nothing is downloaded in training. Fetch "
                "them first, into a folder or into tars (for example with img2dataset), and give that as `path`."
            )
        looked = _Way().path(self._roots[0], names[0])
        return (
            f"{table}: none of {len(names)} pictures looked for is there; the first was {looked}. "
            "Set `path` to the folder that the names start from, or `image_column` to another column."
        )


def _where(unclear: Mapping[str, Sequence[str]]) -> str:
    folders = {len({os.path.dirname(file) for file in files}) for files in unclear.values()}
    return "fit several files" if 1 in folders else "are in several folders"


def _parts(name: str) -> list[str]:
    return posixpath.normpath(re.sub(r"#\d+$", "", name).replace("\\", "/")).split("/")


def name_of(cell: Any) -> str | None:
    """The name of the picture in a cell; None where there is none, or the picture itself."""
    if isinstance(cell, list) and len(cell) == 1:
        return name_of(cell[0])
    return cell.strip() or None if isinstance(cell, str) else None


def path_of(cell: Any) -> str | None:
    """The name of the picture in a cell, in one way of writing it: `./a.jpg` and `a.jpg#0` are `a.jpg`."""
    name = name_of(cell)
    return name if name is None or "://" in name else "/".join(_parts(name))


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
