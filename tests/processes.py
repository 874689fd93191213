"""Runs a function in several processes that know each other, as training on several devices does."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def in_processes(world: int, function: Callable[[int], Any], folder: Path) -> list[Any]:
    """What `function(rank)` returns in each process. folder: an empty one, in which they find each other."""
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe(duplex=False) for _ in range(world)]
    meeting = f"file://{folder / 'meeting'}"
    processes = [
        context.Process(target=_run, args=(rank, world, meeting, function, pipes[rank][1])) for rank in range(world)
    ]
    for process in processes:
        process.start()
    for _, there in pipes:
        there.close()  # so that the end of a process that failed is noticed
    answers = [here.recv() for here, _ in pipes]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * world
    return answers


def _run(rank: int, world: int, meeting: str, function: Callable[[int], Any], answer: Any) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    answer.send(function(rank))
    torch.distributed.destroy_process_group()
