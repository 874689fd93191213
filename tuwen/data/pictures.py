"""`pictures`: a folder of pictures about which nothing is said, to learn from beside pairs (`two_view`, `mixture`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from tuwen.core.errors import DataError
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Sample
from tuwen.data import NotedSplits
from tuwen.data._hashing import share_of
from tuwen.data._pictures import SUFFIXES, pictures_in


class Config(PartConfig):
    """path: the folder, with its subfolders. validation: share of the pictures that is held out, by a hash of names."""

    path: Path
    validation: float = Field(default=0.0, ge=0, lt=1)


class Pictures:
    """A source: pictures alone."""

    def __init__(self, folder: Path, names: Sequence[Path]) -> None:
        self.folder, self.names = folder, names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        return Sample(str(self.names[index]), self.folder / self.names[index])


def build(config: Config, context: Any = None) -> NotedSplits:
    """`train`, and `validation` where asked for.

    Raises:
        DataError: there is no such folder, or no picture in it.
    """
    folder = config.path.expanduser()
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of pictures: say where yours is with data.path.")
    names = pictures_in(folder)
    if not names:
        raise DataError(f"{folder}: no pictures in it ({', '.join(SUFFIXES)}).")
    held = {name for name in names if share_of(name.as_posix()) < config.validation}
    splits = {"train": Pictures(folder, [name for name in names if name not in held])}
    if held:
        splits["validation"] = Pictures(folder, sorted(held))
    return NotedSplits(splits, [f"{folder}: {len(names):,} pictures, about which nothing is said."])
