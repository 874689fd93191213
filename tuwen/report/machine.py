"""On what machine a run was made; `metrics.json` keeps it as `machine`, since speed means nothing without it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch


def describe_machine() -> dict[str, str | int]:
    """Processor, cores that this process may use, memory, accelerators if any, system, and versions."""
    machine: dict[str, str | int] = {"processor": _processor(), "cores": _cores()}
    if memory := _memory():
        machine["memory"] = f"{memory / 2**30:.0f} GiB"
    if torch.cuda.is_available():
        machine["accelerator"] = f"{torch.cuda.device_count()} × {torch.cuda.get_device_name(0)}"
    elif torch.backends.mps.is_available():
        machine["accelerator"] = "Apple GPU (MPS)"
    return machine | {"system": platform.system(), "python": platform.python_version(), "torch": version("torch")}


def _processor() -> str:
    """The model's name; what Python knows where the system has no /proc."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int | None:
    """Bytes, where the system tells."""
    known = getattr(os, "sysconf_names", {})
    if "SC_PAGE_SIZE" not in known or "SC_PHYS_PAGES" not in known:
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
