"""The sides of a comparison take their steps in processes of their own."""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

CLAIMS = Path(__file__).parents[2] / "benchmarks" / "claims"


@pytest.fixture
def side(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class; the new processes look for it where this one does."""
    monkeypatch.syspath_prepend(CLAIMS)
    return importlib.import_module("_sides").Side


@contextmanager
def counting(by: int) -> Iterator[Callable[[int], float]]:
    yield lambda number: float(by * number + 1000 * (os.getpid() == int(os.environ["TUWEN_PARENT"])))


@contextmanager
def dying() -> Iterator[Callable[[int], float]]:
    yield os._exit


def test_each_side_has_a_process_of_its_own(side: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUWEN_PARENT", str(os.getpid()))
    with side(partial(counting, 1)) as one, side(partial(counting, 10)) as ten:
        done = [each(number) for number in (2, 3) for each in (one, ten)]
    assert [each.loss for each in done] == [2, 20, 3, 30]
    assert all(0 <= each.seconds < 5 for each in done)


def test_a_side_that_ends_is_an_error_and_not_a_wait(side: Any) -> None:
    with side(dying) as ended, pytest.raises(RuntimeError, match="a side of the comparison ended"):
        ended(3)
