"""Names of files that differ only in how they are written: `IMG_1.JPG` and `img_1.jpg`, an é of one code or of two."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from typing import Any


def folded(name: str) -> str:
    """What names that differ only in case, or in how their accents are coded, have in common."""
    return unicodedata.normalize("NFC", name).casefold()


class Alike:
    """Finds pictures by names in another spelling. Each folder is read once, when it is first asked for."""

    def __init__(self, is_picture: Callable[[str], bool]) -> None:
        self._is_picture = is_picture
        self._read: dict[str, dict[str, list[str]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_read": {}}  # another process reads for itself what it needs

    def pictures(self, root: str, path: str) -> list[str]:
        """The pictures that a path from a folder may mean, in another spelling or without its ending."""
        *folders, name = path.split("/")
        places = ["/" if path.startswith("/") else root]
        for part in folders:
            places = [inside for place in places for inside in self._folders(place, part)]
        found = [(place, entry) for place in places for entry in self._inside(place).get(folded(name), ())]
        found = [(place, entry) for place, entry in found if self._is_picture(entry)]
        whole = [(place, entry) for place, entry in found if folded(entry) == folded(name)]
        return [os.path.join(place, entry) for place, entry in whole or found]

    def _folders(self, place: str, part: str) -> list[str]:
        plain = os.path.join(place, part)
        if os.path.isdir(plain):
            return [plain]
        paths = [os.path.join(place, entry) for entry in self._inside(place).get(folded(part), ())]
        return [path for path in paths if os.path.isdir(path)]

    def _inside(self, place: str) -> dict[str, list[str]]:
        """What is in a folder, by its folded name, and pictures by their name without its ending as well."""
        if place not in self._read:
            by_name: dict[str, list[str]] = defaultdict(list)
            for entry in _entries(place):
                by_name[folded(entry)].append(entry)
                if self._is_picture(entry):
                    by_name[folded(os.path.splitext(entry)[0])].append(entry)
            self._read[place] = dict(by_name)
        return self._read[place]


def _entries(place: str) -> list[str]:
    try:
        return sorted(os.listdir(place))
    except OSError:
        return []
