"""Training checkpoints: written whole or not at all, and read only if every byte is as it was written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tuwen.core.errors import CheckpointError, TrainingError

Say = Callable[[str], None]
Tensors = Mapping[str, Tensor]

STATE, MANIFEST = "state.json", "manifest.json"
UNFINISHED = ".unfinished-"
_NAME = re.compile(r"step-[0-9]+")


@dataclass(frozen=True, slots=True)
class Saved:
    """A whole checkpoint: its folder, and everything in it that is no tensor."""

    path: Path
    state: dict[str, Any]

    def tensors(self, name: str) -> dict[str, Tensor]:
        """What was saved as `name`, on the CPU; empty where nothing was."""
        file = self.path / f"{name}.safetensors"
        return load_file(file) if file.exists() else {}


class Checkpoints:
    """The checkpoints of a run: `folder/step-00001200/` with safetensors, JSON, and a hash of each file.

    Args:
        folder: where they lie.
        keep: how many to keep.
        say: is told of checkpoints that had to be passed over.

    Attributes:
        whole: the one that was last read or written; None before that.
    """

    def __init__(self, folder: Path, keep: int, say: Say) -> None:
        self.folder, self.keep, self.say = folder, keep, say
        self.whole: Path | None = None

    def all(self) -> list[Path]:
        """The folders of the checkpoints, oldest first."""
        return sorted((path for path in self.folder.glob("step-*") if _NAME.fullmatch(path.name)), key=_step)

    def at(self, step: int) -> Path:
        """Where the checkpoint of a step lies, or would."""
        return self.folder / f"step-{step:08d}"

    def save(self, step: int, tensors: Mapping[str, Tensors], state: Mapping[str, Any]) -> Path:
        """Write a checkpoint beside the others, and only then delete those that are too many.

        Those of later steps go first: the run was resumed before them, because they are damaged.

        Raises:
            TrainingError: the disk is full or cannot be written to; the earlier checkpoints are as they were.
        """
        path = self.at(step)
        unfinished = self.folder / f"{UNFINISHED}{path.name}"
        try:
            self._clear_unfinished()
            unfinished.mkdir(parents=True)
            _write_all(unfinished, tensors, state)
            _discard(path)
            unfinished.rename(path)
            _sync(self.folder)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise self.not_written(f"the checkpoint of step {step}", error) from error
        self.whole = path
        found = self.all()
        until = found.index(path) + 1
        for other in found[until:] + found[: max(0, until - self.keep)]:
            _discard(other)
        return path

    def latest(self) -> Saved | None:
        """The newest checkpoint that is whole, or None where there are none at all.

        Raises:
            CheckpointError: there are checkpoints and none is whole.
        """
        found = self.all()
        for path in reversed(found):
            fault = verify(path)
            if fault is None:
                self.whole = path
                return Saved(path, json.loads((path / STATE).read_text(encoding="utf-8")))
            self.say(f"passing over the checkpoint {path}: {fault}")
        if found:
            raise CheckpointError(
                f"no checkpoint in {self.folder} is whole: restore the folder from a copy, or delete it to begin anew."
            )
        return None

    def not_written(self, what: str, error: Exception) -> TrainingError:
        """The error to raise where something in the run's folder could not be written."""
        earlier = self.whole or next(reversed(self.all()), None)
        kept = f"the last whole checkpoint is {earlier}" if earlier else "there is no earlier checkpoint"
        if is_full(error):
            free = shutil.disk_usage(next(p for p in (self.folder, *self.folder.parents) if p.exists())).free
            cause = f"the disk of {self.folder} is full ({free / 1e6:.0f} MB free)"
            fewer = f" (or set train.keep below {self.keep})" if self.keep > 1 else ""
            advice = f"Make room there{fewer}, then go on with --resume."
        else:
            cause, advice = f"{self.folder} cannot be written to: {error}", "Mend that, then go on with --resume."
        return TrainingError(f"{what} could not be written; {kept}: {cause}. {advice}")

    def _clear_unfinished(self) -> None:
        """Remove what a killed run left half done."""
        for left in self.folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left)


def verify(path: Path) -> str | None:
    """What is wrong with a checkpoint's files, or None where every byte is as it was written."""
    try:
        listed: dict[str, dict[str, Any]] = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["files"]
        for name, entry in listed.items():
            size = (path / name).stat().st_size
            if size != entry["bytes"]:
                return f"{name} has {size} bytes instead of {entry['bytes']}"
            if _hash(path / name) != entry["sha256"]:
                return f"{name} is not what was written (its hash differs)"
        return None if STATE in listed else f"{STATE} is missing"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{MANIFEST} cannot be read ({type(error).__name__}: {error})"


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _write_all(folder: Path, tensors: Mapping[str, Tensors], state: Mapping[str, Any]) -> None:
    for name, values in tensors.items():
        save_file({key: value.detach().contiguous() for key, value in values.items()}, folder / f"{name}.safetensors")
    (folder / STATE).write_text(json.dumps(state, indent=1), encoding="utf-8")
    files = {file.name: {"bytes": file.stat().st_size, "sha256": _hash(file)} for file in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps({"files": files}, indent=1), encoding="utf-8")
    for file in folder.iterdir():
        _sync(file)
    _sync(folder)


def write_whole(file: Path, text: str) -> None:
    """Replace a small text file: whoever reads it sees the old or the new, never a part."""
    unfinished = file.with_name(f"{UNFINISHED}{file.name}")
    unfinished.write_text(text, encoding="utf-8")
    _sync(unfinished)
    unfinished.rename(file)
    _sync(file.parent)


def _discard(path: Path) -> None:
    """Delete a checkpoint; it stops being one before its first file goes."""
    if path.exists():
        doomed = path.with_name(f"{UNFINISHED}{path.name}-old")
        path.rename(doomed)
        shutil.rmtree(doomed)


def _sync(path: Path) -> None:
    """Have the operating system write a file, or a folder's list of files, to the disk now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_full(error: Exception) -> bool:
    """Whether the disk is full; safetensors gives the system's error number in its message alone."""
    full = (errno.ENOSPC, errno.EDQUOT)
    if isinstance(error, OSError):
        return error.errno in full
    return any(f"os error {number}" in str(error) for number in full)
