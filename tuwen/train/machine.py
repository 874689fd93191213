"""What this machine is good at: number formats, compilation, data workers."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch

Say = Callable[[str], None]

MOST_MAPPED, MAPPED_FROM, TRIM_FROM = -4, -3, -1
"""What `mallopt` calls M_MMAP_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD."""
MAPPED, LARGE, TRIMMED = 65536, 2**25, 2**26
"""The C library's own first value, and the highest to which it raises the other two as a program frees large blocks."""


def fast_bf16(device: torch.device) -> bool:
    """Whether matrix products in bfloat16 are clearly faster here than in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    full, half = (_product_seconds(torch.randn(512, 512).to(kind)) for kind in (torch.float32, torch.bfloat16))
    return half < 0.7 * full


def _product_seconds(matrix: torch.Tensor) -> float:
    """The fastest of a few products; the first ones only wake the library up."""
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        matrix @ matrix
        times.append(time.perf_counter() - begin)
    return min(times)


def choose_device(wanted: torch.device | str | None = None) -> torch.device:
    """Where a trained model runs: where it is wanted, else on the accelerator that PyTorch finds, else on the CPU."""
    found = torch.accelerator.current_accelerator(check_available=True) if wanted is None else wanted
    return torch.device(found or "cpu")


def choose_precision(wanted: str, device: torch.device, say: Say) -> str:
    """`bf16` or `fp32`, from the setting and from what the device is fast at."""
    if wanted != "auto":
        return wanted
    if fast_bf16(device):
        return "bf16"
    say(f"computing in fp32: bf16 is not faster on this {device.type}")
    return "fp32"


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The context in which a forward pass runs."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def seed_everything(device: torch.device, *numbers: int) -> None:
    """Let all that PyTorch draws from now on depend on nothing but some numbers."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Have the same bits come out every time, wherever PyTorch has a kernel that does so.

    On a CPU too: the gradient of indexing adds numbers up from several threads in whatever order they come.
    """
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when a GPU is first used for a product
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic  # its setting is a property of the module, which its types do not know
    filling = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    memory.fill_uninitialized_memory = False  # costs time, and nothing here reads such memory
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = filling


@contextmanager
def memory_kept(device: torch.device) -> Iterator[None]:
    """On a CPU, have memory that is freed used again, and not given back to the system before the end.

    Each step wants the blocks of the last one. From the system they come as pages that it has to clear, one by one:
    measured, a tenth of the quickstart's step. Where the C library is not GNU's, nothing is changed.

    The C library stops to adapt itself once it is told anything. So it is left as it would soon have been: with its
    first values, evaluation after a training took twice as long.
    """
    library: Any = ctypes.CDLL(None) if os.name == "posix" else None
    if device.type != "cpu" or not hasattr(library, "mallopt"):
        yield
        return
    library.mallopt(MOST_MAPPED, 0)
    library.mallopt(TRIM_FROM, -1)
    try:
        yield
    finally:
        library.mallopt(MOST_MAPPED, MAPPED)
        library.mallopt(MAPPED_FROM, LARGE)
        library.mallopt(TRIM_FROM, TRIMMED)
        library.malloc_trim(0)


def cannot_compile(device: torch.device) -> str | None:
    """Why `torch.compile` does not work here, found by compiling the smallest thing; None where it does."""
    try:
        torch.compile(lambda x: torch.relu(x) + 1)(torch.ones(8, device=device))
    except Exception as error:  # a missing compiler, missing headers, an unknown device: many types, all the same to us
        return next(iter(str(error).splitlines()), type(error).__name__)
    return None


def data_workers(wanted: int | str, device: torch.device, processes: int = 1) -> int:
    """How many processes prepare data for each training process.

    Where training itself keeps all cores busy, further processes take from it what they give (measured: two cores,
    32 samples of 1 ms a step; 301 ms a step without a worker, 327 with one, also where it has the lowest priority).
    """
    if isinstance(wanted, int):
        return wanted
    if device.type == "cpu":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(16, max(0, cores // processes - 1))
