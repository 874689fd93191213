"""Worker processes behave, and die with the process they work for."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count, islice
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch

from tuwen.core.errors import DataError
from tuwen.prep.workers import by_number, in_turn


def describe(number: int) -> tuple[int, int, int]:
    return number, os.getpid(), torch.get_num_threads()


def test_items_come_in_order_from_several_processes_with_a_thread_each() -> None:
    with closing(by_number(describe, count(5), workers=2)) as items:
        numbers, processes, threads = zip(*islice(items, 6), strict=True)
    assert numbers == (5, 6, 7, 8, 9, 10)
    assert len(set(processes)) == 2
    assert os.getpid() not in processes
    assert set(threads) == {1}


def test_readers_take_turns_from_the_one_whose_turn_it_is() -> None:
    def read(reader: int) -> Iterator[str]:
        return (f"{reader}.{number}" for number in count())

    with closing(in_turn(read, workers=3, first=2)) as items:
        assert [item for _, item in islice(items, 5)] == ["2.0", "0.0", "1.0", "2.1", "0.1"]


def test_ctrl_c_in_the_terminal_does_not_reach_workers() -> None:
    with closing(by_number(describe, count(), workers=1)) as items:
        _, process, _ = next(items)
        os.kill(process, signal.SIGINT)
        assert [number for number, _, _ in islice(items, 5)] == [1, 2, 3, 4, 5]


def test_a_killed_worker_is_an_error_that_says_what_to_do() -> None:
    with closing(by_number(describe, count(), workers=1)) as items:
        _, process, _ = next(items)
        os.kill(process, signal.SIGKILL)
        with pytest.raises(DataError, match="a data worker died .*set train.workers=0"):
            list(islice(items, 1000))


def test_closing_ends_the_workers() -> None:
    items = by_number(describe, count(), workers=2)
    workers = {process for _, process, _ in islice(items, 4)}
    items.close()
    assert gone(workers, seconds=5)


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_workers_do_not_outlive_a_killed_run() -> None:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=hold_workers, args=(there,))
    process.start()
    workers = here.recv()
    assert len(workers) == 2
    assert not gone(workers, seconds=0.2)
    process.kill()
    process.join()
    assert gone(workers, seconds=5)


def hold_workers(pipe: Connection) -> None:
    items = by_number(describe, count(), workers=2)
    pipe.send({process for _, process, _ in islice(items, 4)})
    time.sleep(60)


def gone(processes: set[int], seconds: float) -> bool:
    """Whether processes end within some time; one that nobody has buried yet counts as ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(alive(process) for process in processes):
            return True
        time.sleep(0.05)
    return False


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
