"""What this machine can do, measured in some seconds, and what it means for training."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from tuwen.report.machine import describe_machine
from tuwen.train.machine import cannot_compile, data_workers, fast_bf16

SIDE, SECONDS = 1024, 0.5
"""Of the matrices whose product is timed, and how long it is repeated."""

LITTLE_DISK = 5 * 2**30
"""Bytes below which checkpoints and reports of longer runs may not find room."""


@dataclass(frozen=True, slots=True)
class Health:
    """What was found.

    machine: as `describe_machine` says. rates: floating-point operations a second in a matrix product, by precision.
    bandwidth: bytes a second that a copy in memory moves. precision: what `train.precision: auto` chooses.
    compiles: None where `torch.compile` works, else why not. workers: what `train.workers: auto` chooses.
    free_disk: bytes.
    """

    machine: dict[str, str | int]
    rates: dict[str, float]
    bandwidth: float
    precision: str
    compiles: str | None
    workers: int
    free_disk: int

    @property
    def advice(self) -> list[str]:
        """What it means, in sentences."""
        faster = self.rates["bf16"] / self.rates["fp32"]
        found = [f"bf16 is {faster:.1f} times as fast as fp32: train.precision=auto computes in {self.precision}."]
        if "accelerator" in self.machine:
            found.append(f"{self.workers} processes prepare data; where training waits for data, give it more cores.")
        else:
            found.append("There is no GPU: keep models and pictures small (image.size=64), as the quickstart does.")
        if self.machine["cores"] == 1:
            found.append("Decoding and training share the one core: smaller pictures help both.")
        if self.compiles:
            found.append(f"torch.compile does not work here ({self.compiles}); training goes on without it.")
        if self.free_disk < LITTLE_DISK:
            free = self.free_disk / 2**30
            found.append(f"Only {free:.1f} GiB of disk are free: set train.keep=1, or write elsewhere with --out.")
        return found


def examine(device: torch.device, folder: Path) -> Health:
    """Measure a device. folder: where runs will be written."""
    rates = {name: product_rate(kind, device) for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16))}
    return Health(
        machine=describe_machine(),
        rates=rates,
        bandwidth=bandwidth(device),
        precision="bf16" if fast_bf16(device) else "fp32",
        compiles=cannot_compile(device),
        workers=data_workers("auto", device),
        free_disk=shutil.disk_usage(folder).free,
    )


def product_rate(kind: torch.dtype, device: torch.device) -> float:
    """Floating-point operations a second in a product of two square matrices, at best."""
    matrix = torch.randn(SIDE, SIDE, device=device).to(kind)
    return 2 * SIDE**3 / _fastest(lambda: matrix @ matrix, device)


def bandwidth(device: torch.device) -> float:
    """Bytes a second that are read and written when 64 MiB are copied."""
    source = torch.ones(2**24, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() * source.element_size() / _fastest(lambda: target.copy_(source), device)


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end or best == float("inf"):
        began = time.perf_counter()
        work()
        if device.type != "cpu":
            torch.get_device_module(device).synchronize(device)
        best = min(best, time.perf_counter() - began)
    return best
