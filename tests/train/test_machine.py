"""What a machine can do is found out, and said once."""

import ctypes
import os
import resource
import subprocess
import sys

import pytest
import torch

from tuwen.train import machine
from tuwen.train.machine import (
    cannot_compile,
    choose_device,
    choose_precision,
    data_workers,
    deterministic,
    memory_kept,
    seed_everything,
)

CPU = torch.device("cpu")
gnu = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not the GNU C library")


@pytest.mark.parametrize("there", [None, torch.device("cuda")])
def test_a_model_runs_where_it_is_wanted_else_on_the_accelerator(
    there: torch.device | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: there)
    assert choose_device("cpu") == choose_device(torch.device("cpu")) == torch.device("cpu")
    assert choose_device() == (there or torch.device("cpu"))


def test_a_wanted_precision_is_taken_without_a_word() -> None:
    said: list[str] = []
    assert [choose_precision(wanted, CPU, said.append) for wanted in ("bf16", "fp32")] == ["bf16", "fp32"]
    assert said == []


def test_bf16_where_it_is_clearly_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    seconds = {torch.float32: 1.0, torch.bfloat16: 0.5}
    monkeypatch.setattr(machine, "_product_seconds", lambda matrix: seconds[matrix.dtype])
    assert choose_precision("auto", CPU, said.append) == "bf16"
    seconds[torch.bfloat16] = 0.9
    assert choose_precision("auto", CPU, said.append) == "fp32"
    assert said == ["computing in fp32: bf16 is not faster on this cpu"]
    assert choose_precision("auto", torch.device("meta"), said.append) == "fp32"


def test_the_measurement_measures() -> None:
    small, large = (machine._product_seconds(torch.ones(size, size)) for size in (8, 512))
    assert 0 < small < large


def test_compilation_that_fails_gives_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(function: object) -> object:
        raise RuntimeError("No working C++ compiler found\nand a long explanation")

    monkeypatch.setattr(torch, "compile", fails)
    assert cannot_compile(CPU) == "No working C++ compiler found"
    monkeypatch.setattr(torch, "compile", lambda function: function)
    assert cannot_compile(CPU) is None


def test_data_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(12)), raising=False)
    assert data_workers(3, CPU) == 3
    assert data_workers("auto", CPU) == 0
    assert data_workers("auto", torch.device("cuda")) == 11
    assert data_workers("auto", torch.device("cuda"), processes=4) == 2
    assert data_workers("auto", torch.device("cuda"), processes=16) == 0


def test_randomness_follows_from_the_numbers() -> None:
    seed_everything(CPU, 1, 2, 3)
    first = torch.rand(4)
    seed_everything(CPU, 1, 2, 4)
    other = torch.rand(4)
    seed_everything(CPU, 1, 2, 3)
    assert torch.equal(torch.rand(4), first)
    assert not torch.equal(first, other)


def test_determinism_is_given_back_after_use() -> None:
    with deterministic(False):
        assert not torch.are_deterministic_algorithms_enabled()
    with deterministic(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory


def pages_fetched() -> int:
    """How many pages the system hands over for four times 64 MB, one after the other."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@gnu
def test_freed_memory_is_used_again_and_given_back_at_the_end() -> None:
    with memory_kept(CPU):
        first, *_, last = [pages_fetched() for _ in range(4)]
    assert first > last
    assert pages_fetched() > last


AFTERWARDS = """
import resource, torch
from tuwen.train.machine import memory_kept
with memory_kept(torch.device("cpu")):
    torch.ones(2**20)
for _ in range(60):  # goes once through the room that was given back at the end, wherever it lies
    torch.ones(2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@gnu
def test_afterwards_memory_that_is_wanted_all_the_time_is_still_used_again() -> None:
    """In a process of its own: what a program frees before tells the C library what it will want."""
    done = subprocess.run([sys.executable, "-c", AFTERWARDS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2**22 // resource.getpagesize(), "twenty blocks of 4 MB fetch less than one of them"


def test_the_gradient_of_indexing_has_the_same_bits_every_time() -> None:
    """Several threads add it up, and without determinism they do so in whatever order they come."""
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    table = torch.zeros(7, 64, requires_grad=True)
    rows = torch.arange(20_000) % 7
    addends = torch.randn(20_000, 64, generator=torch.Generator().manual_seed(0))
    try:
        with deterministic(True):
            gradients = [torch.autograd.grad((table[rows] * addends).sum(), table)[0] for _ in range(10)]
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)
