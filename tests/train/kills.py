"""`kill -9` at random moments, going on each time, until a run ends."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path


def run_with_kills(start: Callable[[], BaseProcess], run: Path, kills: int, longest: float, seed: int) -> int:
    """Train with interruptions.

    Args:
        start: makes the process that begins or resumes the training; it is started, killed and made again.
        run: folder of the run.
        kills: how often to kill.
        longest: seconds of training before a kill; each time a random number up to this.
        seed: of the moments.

    Returns:
        How many kills hit a process that was training; fewer than asked where the run ended before.
    """
    moments = random.Random(seed)
    for number in range(kills):
        process = start()
        _wait_for_training(process, run / "plan.json")
        process.join(moments.uniform(0, longest))
        if process.exitcode is not None:
            return _ended_well(process, number)
        process.kill()
        process.join()
    process = start()
    process.start()
    process.join()
    return _ended_well(process, kills)


def _wait_for_training(process: BaseProcess, sign: Path) -> None:
    """Start a process and wait until it writes the run's plan, which it does just before the first step."""
    before = sign.stat().st_mtime_ns if sign.exists() else 0
    process.start()
    while process.exitcode is None and not (sign.exists() and sign.stat().st_mtime_ns > before):
        time.sleep(0.01)


def _ended_well(process: BaseProcess, kills: int) -> int:
    if process.exitcode != 0:
        raise RuntimeError(f"training ended with exit code {process.exitcode} after {kills} kills")
    return kills


def last_tensors(run: Path) -> dict[str, str]:
    """The hash of each file of tensors in a run's last checkpoint: equal hashes, equal bits."""
    last = max((run / "checkpoints").glob("step-*"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(last.glob("*.safetensors"))}
