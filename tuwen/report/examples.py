"""What came out of a model, as evaluation collects it and the page shows it; saved beside the metrics.

    examples = Examples()
    unseen = examples.split("tasks")
    unseen.captions += choose(all_captions)
    unseen.tallies["vqa_by_kind"] = {"count": Tally(right=93, count=100, floor=0.4)}
    examples.save(run_folder)

`examples.json` holds each picture once, as a base64 PNG, so that the page can be made again without model or data.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import PlainSerializer, PlainValidator, SerializationInfo, TypeAdapter, ValidationError, ValidationInfo

from tuwen.core.errors import DataError

FILE_NAME = "examples.json"
LONGEST_SIDE = 256
"""Larger pictures are saved smaller: the page is for looking, not for evaluating again."""


def png(picture: NDArray[np.uint8]) -> bytes:
    """A picture `[H, W, 3]` as a PNG file, its longer side at most `LONGEST_SIDE` pixels."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"an example's picture must be [H, W, 3] uint8, not {list(picture.shape)} {picture.dtype}")
    image = Image.fromarray(picture)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _store(picture: NDArray[np.uint8], info: SerializationInfo[dict[str, str]]) -> str:
    data = png(picture)
    key = hashlib.sha256(data).hexdigest()[:16]
    assert info.context is not None
    info.context[key] = base64.b64encode(data).decode()
    return key


def _open(key: Any, info: ValidationInfo[Mapping[str, str]]) -> NDArray[np.uint8]:
    if key not in info.context:
        raise ValueError(f"there is no picture {key!r}")
    with Image.open(io.BytesIO(base64.b64decode(info.context[key])), formats=["PNG"]) as image:
        return np.asarray(image.convert("RGB"))


Picture = Annotated[NDArray[np.uint8], PlainValidator(_open), PlainSerializer(_store)]
"""`[H, W, 3]` uint8, RGB."""


@dataclass(frozen=True, slots=True, eq=False)
class CaptionExample:
    """A caption that the model gave, and the one expected. `failed` names what it got wrong (colour, shape, ...)."""

    picture: Picture
    prediction: str
    reference: str
    right: bool
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class AnswerExample:
    """An answer that the model gave to a question, and the true one."""

    picture: Picture
    question: str
    prediction: str
    answer: str
    right: bool
    kind: str = "other"


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Words of a prompt, or a picture among them."""

    words: str = ""
    picture: Picture | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PromptExample:
    """What the model said after pictures and words, and what was wanted.

    scores: closed answers with their log-probabilities, the likeliest first; () where they were not asked for.
    """

    pieces: tuple[Piece, ...]
    prediction: str
    answer: str
    right: bool
    scores: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class FoundPictures:
    """The pictures that a text found, best first; `correct[i]`: is picture `i` right? `rank`: of the best right one."""

    text: str
    pictures: tuple[Picture, ...]
    correct: tuple[bool, ...]
    rank: int

    @property
    def right(self) -> bool:
        """Whether a right picture came first."""
        return self.rank == 1


@dataclass(frozen=True, slots=True, eq=False)
class FoundTexts:
    """The texts that a picture found, best first; `correct[i]`: is text `i` right? `rank`: of the best right one."""

    picture: Picture
    texts: tuple[str, ...]
    correct: tuple[bool, ...]
    rank: int

    @property
    def right(self) -> bool:
        """Whether a right text came first."""
        return self.rank == 1


@dataclass(frozen=True, slots=True, eq=False)
class ClassExample:
    """A class that the model gave, and the true one."""

    picture: Picture
    prediction: str
    label: str
    right: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """How many were right among one kind, and the share that needs no picture (`floor`), if known."""

    right: int
    count: int
    floor: float | None = None


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts[i][j]`: how many of class `labels[i]` were called `labels[j]`."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class SplitExamples:
    """What came out on one split. `tallies`, by title and then by kind, say what failed (by question kind, ...).

    notes: what was judged otherwise than was asked for, in sentences.
    """

    captions: list[CaptionExample] = field(default_factory=list)
    answers: list[AnswerExample] = field(default_factory=list)
    prompts: list[PromptExample] = field(default_factory=list)
    found_pictures: list[FoundPictures] = field(default_factory=list)
    found_texts: list[FoundTexts] = field(default_factory=list)
    classes: list[ClassExample] = field(default_factory=list)
    tallies: dict[str, dict[str, Tally]] = field(default_factory=dict)
    confusion: Confusion | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Examples:
    """What came out, by split, under the keys of `metrics.json`: `tasks` (unseen) and `held_out`."""

    splits: dict[str, SplitExamples] = field(default_factory=dict)

    def split(self, name: str) -> SplitExamples:
        """The split of this name, made empty where there is none."""
        return self.splits.setdefault(name, SplitExamples())

    def save(self, folder: Path) -> Path:
        """Write `examples.json` into a run folder, whole or not at all."""
        pictures: dict[str, str] = {}
        splits = _SPLITS.dump_python(self.splits, mode="json", context=pictures)
        path = folder / FILE_NAME
        part = path.with_suffix(".part")
        part.write_bytes(_FILE.dump_json(_File(pictures, splits), indent=1))
        part.replace(path)
        return path

    @classmethod
    def load(cls, folder: Path) -> Examples:
        """Read `examples.json` of a run folder.

        Raises:
            DataError: the file is missing or is not what `save` writes.
        """
        path = folder / FILE_NAME
        try:
            file = _FILE.validate_json(path.read_bytes())
            return cls(_SPLITS.validate_python(file.splits, context=file.pictures))
        except FileNotFoundError:
            raise DataError(f"{path} is missing; to write it: tuwen evaluate {folder}") from None
        except (ValidationError, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error.errors()[0]["msg"]
            raise DataError(f"{path} cannot be read ({why}); to write it again: tuwen evaluate {folder}") from error


@dataclass(frozen=True, slots=True)
class _File:
    pictures: dict[str, str]
    splits: dict[str, Any]


_FILE = TypeAdapter(_File)
_SPLITS = TypeAdapter(dict[str, SplitExamples])


class _Judged(Protocol):
    @property
    def right(self) -> bool: ...


E = TypeVar("E", bound=_Judged)


def choose(examples: Iterable[E], right: int = 12, wrong: int = 12) -> list[E]:
    """The first few that failed, then the first few that succeeded: both belong on the page."""
    found = list(examples)
    failures = islice((example for example in found if not example.right), wrong)
    successes = islice((example for example in found if example.right), right)
    return [*failures, *successes]
