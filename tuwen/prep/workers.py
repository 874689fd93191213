"""Processes that prepare batches ahead of the training process, in a fixed order, and never outlive it."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from tuwen.core.errors import DataError, TuwenError

T = TypeVar("T")


def by_number(make: Callable[[int], T], numbers: Iterable[int], workers: int) -> Generator[T, None, None]:
    """`make(number)` for each number, in their order, prepared ahead by worker processes.

    Raises:
        DataError: `make` failed, or a worker was killed.
    """
    if workers == 0:
        yield from map(make, numbers)
        return
    yield from _drain(_started(_Numbered(make), workers, sampler=numbers))


def in_turn(read: Callable[[int], Iterator[T]], workers: int, first: int = 0) -> Generator[tuple[int, T], None, None]:
    """What each of `max(1, workers)` readers reads, with the reader's number, one from each in turn from `first` on.

    Raises:
        DataError: `read` failed, or a worker was killed.
    """
    if workers == 0:
        yield from ((0, item) for item in read(0))
        return
    yield from _drain(_started(_Readers(read, first), workers))


@dataclass(frozen=True, slots=True)
class _Failure:
    """An exception on its way from a worker: only text crosses, so that any exception can."""

    message: str
    trace: str

    def as_error(self) -> DataError:
        """The exception on its arrival."""
        error = DataError(self.message)
        error.add_note(self.trace)
        return error


class _Numbered(Dataset[T | _Failure], Generic[T]):
    def __init__(self, make: Callable[[int], T]) -> None:
        self.make = make

    def __getitem__(self, number: int) -> T | _Failure:
        try:
            return self.make(number)
        except Exception as error:
            return _failure(error)


class _Readers(IterableDataset[tuple[int, T] | _Failure], Generic[T]):
    def __init__(self, read: Callable[[int], Iterator[T]], first: int) -> None:
        self.read, self.first = read, first

    def __iter__(self) -> Iterator[tuple[int, T] | _Failure]:
        info = get_worker_info()
        assert info is not None
        reader = (info.id + self.first) % info.num_workers
        try:
            yield from ((reader, item) for item in self.read(reader))
        except Exception as error:
            yield _failure(error)


def _failure(error: Exception) -> _Failure:
    message = str(error) if isinstance(error, TuwenError) else f"a data worker failed: {type(error).__name__}: {error}"
    return _Failure(message, "In the data worker:\n" + "".join(traceback.format_exception(error)))


def _drain(items: Iterator[Any]) -> Generator[Any, None, None]:
    try:
        while True:
            try:
                item = next(items)
            except StopIteration:
                return
            except RuntimeError as error:
                raise DataError(
                    f"a data worker died ({str(error).splitlines()[0]}). Most often memory ran out: "
                    "lower train.workers or train.batch_size, or set train.workers=0."
                ) from error
            if isinstance(item, _Failure):
                raise item.as_error()
            yield item
    finally:
        del items  # ends the workers now, not when an exception that refers to this frame is forgotten


def _started(dataset: Dataset[Any], workers: int, **settings: Any) -> Iterator[Any]:
    with warnings.catch_warnings():
        # The number of workers was chosen, and need not be justified by the cores.
        warnings.filterwarnings("ignore", message="This DataLoader will create", category=UserWarning)
        # Threads of this process (PyTorch's, a progress bar's) hold no lock that a worker takes.
        warnings.filterwarnings("ignore", message=".*use of fork", category=DeprecationWarning)
        loader: DataLoader[Any] = DataLoader(
            dataset,
            batch_size=None,  # a worker hands over whole batches
            num_workers=workers,
            collate_fn=_unchanged,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_Prepare(os.getpid()),
            # Forked workers share the source's memory, and nothing needs to be picklable. Elsewhere fork is not safe.
            multiprocessing_context=multiprocessing.get_context("fork" if sys.platform == "linux" else None),
            # Of its own, so that starting workers draws nothing from the training's randomness.
            generator=torch.Generator(),
            **settings,
        )
        return iter(loader)


def _unchanged(item: T) -> T:
    return item


@dataclass(frozen=True, slots=True)
class _Prepare:
    """Make a fresh worker process a good one."""

    parent: int

    def __call__(self, worker: int) -> None:
        gc.freeze()  # what the training process has thrown away is not this process's to finalize
        torch.set_num_threads(1)
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        # Ctrl-C reaches every process of the terminal: the training process decides what becomes of its workers.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threading.Thread(target=self._follow_parent, daemon=True).start()

    def _follow_parent(self) -> None:
        """A killed training process cannot stop its workers, so they look for themselves."""
        while os.getppid() == self.parent:
            time.sleep(0.5)
        os._exit(1)
