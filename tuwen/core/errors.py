"""The one tree of errors that a user can meet.

Every message says three things: what is wrong, where (a file, a line, a key), and what to do about it.
The command line prints the message alone; `--debug` adds the traceback.

    TuwenError
    ├── RecipeError        a recipe names something unknown or impossible
    ├── DataError          a data source as a whole cannot be used
    ├── SampleError        one sample cannot be used; it is skipped, counted and listed
    ├── CheckpointError    a checkpoint is missing, incomplete or does not fit
    └── TrainingError      training cannot go on (a loss that is not finite, a full disk)
"""

from __future__ import annotations


class TuwenError(Exception):
    """Base of every error that Tuwen raises on purpose."""


class RecipeError(TuwenError):
    """A recipe names something unknown or impossible."""


class DataError(TuwenError):
    """A data source as a whole cannot be used."""


class SampleError(TuwenError):
    """One sample cannot be used: training skips it, counts it and lists it in the run folder.

    `key` identifies the sample (its file or row); `reason` says what is wrong in a few words.
    """

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


class CheckpointError(TuwenError):
    """A checkpoint is missing, incomplete or does not fit what is asked of it."""


class TrainingError(TuwenError):
    """Training cannot go on."""
