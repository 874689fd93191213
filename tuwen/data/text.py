"""`text`: any text files, to pretrain a language model or a text tower on.

Files are documents, or hold several: one between blank lines, or one a line. A document that is longer than a window is
read in windows; a sample is one window, without a picture, and its caption is the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from tuwen.core.errors import DataError
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Caption, Sample
from tuwen.data import DataContext, NotedSplits
from tuwen.data._hashing import share_of
from tuwen.data._tables.encoding import find_encoding
from tuwen.data._text import guess_language

SUFFIXES = (".txt", ".md", ".text")
"""The files of a folder that are read."""

_BETWEEN = {"blank_line": re.compile(r"\n[^\S\n]*\n\s*"), "line": re.compile(r"\n+")}


class Config(PartConfig):
    """Which texts, and what of them is one sample.

    path: text files, or folders whose text files (`.txt`, `.md`, `.text`) are all read.
    documents: what a document is: a `file`, what stands between blank lines (`blank_line`), or a `line`.
    window: characters of one sample at most.
    stride: characters from the start of one training window to the next; a smaller one than the window shows each
        character in several places. The window's length where it is left out. Validation windows never overlap.
    validation: share of the text that is not trained on: the end of a single document, else documents here and there.
    encoding: of the files (`gb18030`); else found.
    """

    path: tuple[Path, ...] = Field(min_length=1)
    documents: Literal["file", "blank_line", "line"] = "file"
    window: int = Field(default=256, ge=2)
    stride: int | None = Field(default=None, ge=1)
    validation: float = Field(default=0.1, ge=0, lt=1)
    encoding: str | None = None

    @field_validator("path", mode="before")
    @classmethod
    def _one_or_several(cls, path: Any) -> Any:
        return (path,) if isinstance(path, str | Path) else path

    @model_validator(mode="after")
    def _no_gaps(self) -> Config:
        if self.stride is not None and self.stride > self.window:
            raise ValueError(f"stride {self.stride} is longer than window {self.window}: text would be left out")
        return self


def spec(words: list[str]) -> dict[str, Any]:
    """What words behind `--data` mean to a recipe that reads texts."""
    return {"kind": "text", "path": words}


class Windows:
    """A source: the windows of documents, one after the other.

    Args:
        documents: each with a name for messages.
        window, stride: in characters. A document's last window ends with it.
    """

    def __init__(self, documents: list[tuple[str, str]], window: int, stride: int) -> None:
        self.documents, self.window, self.stride = documents, window, stride
        self._ends = list(accumulate(1 + -(-max(0, len(text) - window) // stride) for _, text in documents))
        self._languages = [guess_language(text[:1000]) for _, text in documents]

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        number = bisect_right(self._ends, index)
        name, text = self.documents[number]
        start = (index - (self._ends[number - 1] if number else 0)) * self.stride
        piece = text[start : start + self.window]
        whole = start + self.window >= len(text)
        return Sample(f"{name}:{start}", captions=(Caption(piece, self._languages[number], whole=whole),))


def build(config: Config, context: DataContext | None = None) -> NotedSplits:
    """`train`, and `validation` where a share is kept for it.

    Raises:
        DataError: a file is missing, empty or in no known encoding.
    """
    files = [file for path in config.path for file in _files(path.expanduser())]
    documents: list[tuple[str, str]] = []
    notes: list[str] = []
    for file in files:
        text, note = _read(file, config.encoding)
        notes += [note] if note else []
        documents += _documents(file.name, text, config.documents)
    if not documents:
        raise DataError(f"{', '.join(map(str, files))}: there is no text in it.")
    train, kept = _divide(documents, config.validation, (context or DataContext()).seed)
    characters = sum(len(text) for _, text in documents)
    notes.insert(0, f"{characters:,} characters in {len(documents):,} documents of {len(files):,} files.")
    splits = {"train": Windows(train, config.window, config.stride or config.window)}
    if kept:
        splits["validation"] = Windows(kept, config.window, config.window)
    return NotedSplits(splits, notes)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not found:
        what = f"no text files in it ({', '.join(SUFFIXES)})" if path.is_dir() else "no such file or folder of texts"
        raise DataError(f"{path}: {what}: say where yours are with --data (in a recipe, data.path).")
    return found


def _read(file: Path, encoding: str | None) -> tuple[str, str | None]:
    try:
        name, note = find_encoding(file, encoding)
        return file.read_text(encoding=name), note
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}.") from None


def _documents(name: str, text: str, unit: str) -> list[tuple[str, str]]:
    pieces = [text] if unit == "file" else [piece.strip("\n") for piece in _BETWEEN[unit].split(text)]
    named = [(name if unit == "file" else f"{name}#{number}", piece) for number, piece in enumerate(pieces, 1)]
    return [(title, piece) for title, piece in named if piece.strip()]


def _divide(
    documents: list[tuple[str, str]], share: float, seed: int
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Documents to train on, and documents not to."""
    if not share:
        return documents, []
    if len(documents) == 1:
        name, text = documents[0]
        cut = round((1 - share) * len(text))
        return [(name, text[:cut])], [(f"{name} from character {cut}", text[cut:])] if text[cut:].strip() else []
    order = sorted(range(len(documents)), key=lambda place: share_of(f"{seed}/{place}/{documents[place][0]}"))
    kept: set[int] = set()
    wanted = share * sum(len(text) for _, text in documents)
    for place in order[:-1]:
        if wanted <= 0:
            break
        wanted -= len(documents[place][1])
        kept.add(place)
    return (
        [document for place, document in enumerate(documents) if place not in kept],
        [document for place, document in enumerate(documents) if place in kept],
    )
