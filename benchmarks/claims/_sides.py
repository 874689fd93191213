"""The sides of a comparison, each in a process of its own: what one does to its process does not reach the other."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from types import TracebackType
from typing import NamedTuple

Step = Callable[[int], float]
Make = Callable[[], AbstractContextManager[Step]]


class Done(NamedTuple):
    """A step's loss, and how many seconds it took."""

    loss: float
    seconds: float


class Side:
    """A process that takes a step when it is told to, and waits meanwhile.

    make: gives its step; runs in that process, so it and what it is given must be importable there.
    """

    def __init__(self, make: Make) -> None:
        processes = multiprocessing.get_context("spawn")
        self._tell, self._told = processes.Pipe()
        self._process = processes.Process(target=_serve, args=(self._told, make), daemon=True)

    def __enter__(self) -> Side:
        self._process.start()
        self._told.close()  # the process has its own, and nobody else writes: if it ends, waiting for it ends
        return self

    def __call__(self, number: int) -> Done:
        """Take step `number`."""
        try:
            self._tell.send(number)
            done: Done = self._tell.recv()
        except (EOFError, OSError) as error:
            raise RuntimeError("a side of the comparison ended; what it said stands above.") from error
        return done

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.join()


def _serve(told: Connection, make: Make) -> None:
    with make() as step:
        while True:
            number: int = told.recv()
            began = time.perf_counter()
            loss = step(number)
            told.send(Done(loss, time.perf_counter() - began))
