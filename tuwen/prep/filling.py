"""Samples to full batches, whatever is broken on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from tuwen.core.batch import Batch
from tuwen.core.errors import DataError, SampleError, TuwenError
from tuwen.core.sample import Sample
from tuwen.prep.batches import Encoded

Encode = Callable[[Sample, np.random.Generator], Encoded]
Collate = Callable[[list[Encoded]], Batch]

Attempt = Encoded | SampleError
"""What became of one sample."""

Skipped = tuple[tuple[str, str], ...]
"""Samples that cannot be used: key and reason."""

FEW = 8
"""So many broken samples never stop a run, however small its batches are."""


@dataclass(frozen=True, slots=True)
class Filler:
    """Encodes samples and puts them into batches.

    full: whether each batch must have its size (training), or may be what is left (evaluation).
    """

    encode: Encode
    collate: Collate
    full: bool

    def attempt(self, key: str, sample: Callable[[], Sample], seed: tuple[int, ...]) -> Attempt:
        """Read and encode one sample with a random generator of its own. `key` names it until it is read.

        Raises:
            DataError: reading or encoding failed in a way that says nothing against the sample: a fault in code.
        """
        try:
            read = sample()
            key = read.key
            return self.encode(read, np.random.default_rng(seed))
        except SampleError as error:
            return error
        except TuwenError:
            raise
        except Exception as error:
            raise unexpected(key, error) from error

    def batch(self, attempts: Iterable[Attempt], size: int) -> tuple[Batch, Skipped]:
        """Take attempts until a batch is full.

        Raises:
            DataError: more of them are broken than a batch has samples, or none are left to fill it.
        """
        encoded: list[Encoded] = []
        broken: list[SampleError] = []
        for outcome in attempts:
            if isinstance(outcome, SampleError):
                broken.append(outcome)
                if len(broken) > max(FEW, size):
                    raise _too_many(broken, len(encoded) + len(broken))
            else:
                encoded.append(outcome)
            if len(encoded) == size:
                break
        if self.full and len(encoded) < size:
            raise _too_many(broken, len(encoded) + len(broken))
        return self._collate(encoded), tuple((error.key, error.reason) for error in broken)

    def _collate(self, encoded: list[Encoded]) -> Batch:
        if not encoded:
            return Batch()
        try:
            return self.collate(encoded)
        except TuwenError:
            raise
        except Exception as error:
            keys = ", ".join(sample.key for sample in encoded)
            raise unexpected(f"the batch of {keys}", error) from error


def unexpected(what: str, error: Exception) -> DataError:
    """An error that names what was being prepared when something failed that is not the data's fault."""
    return DataError(f"{what}: preparing it failed with {type(error).__name__}: {error} (--debug shows where)")


def _too_many(broken: list[SampleError], tried: int) -> DataError:
    examples = "".join(f"\n  {error}" for error in broken[:5])
    return DataError(
        f"{len(broken)} of {tried} samples tried for one batch cannot be used, for example:{examples}\n"
        "`tuwen data check` lists them all."
    )
