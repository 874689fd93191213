"""Is a run that was killed and resumed the very run that was never killed? `tuwen pretrain` itself, and `kill -9`.

The moments are random, but for one that hits while a checkpoint is being written. In the end every byte of the model's
weights is compared, and with them the optimizer's state and the moving average in the last checkpoint.
"""

from __future__ import annotations

import filecmp
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from _claim import report

from tuwen.recipe.schema import load_recipe
from tuwen.train.lines import read_lines

RECIPE = Path(__file__).with_suffix(".yaml")
KILLS, WHILE_SAVING = 5, 2
"""How many kills, and which of them (from 0) waits for a checkpoint to be half-written."""


def main() -> None:
    """Train without and with kills, and compare."""
    started = time.perf_counter()
    steps = load_recipe(RECIPE).recipe.train.steps
    assert steps is not None
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        finish(whole)
        half_written = train_with_kills(killed, steps)
        finish(killed)
        values = {
            "bitwise_equal": same_bytes(whole, killed),
            "kills": KILLS,
            "half_written_checkpoints": half_written,
            "steps": steps,
        }
    report("resume", values, {"bitwise_equal": "== true", "kills": ">= 3"}, time.perf_counter() - started)


def start(run: Path) -> subprocess.Popen[bytes]:
    """Begin a run, or go on with it."""
    command = [sys.executable, "-m", "tuwen", "pretrain", str(RECIPE), "--out", str(run), "--resume"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def finish(run: Path) -> None:
    """Let a run end."""
    status = start(run).wait()
    if status != 0:
        raise RuntimeError(f"training ended with status {status}")


def train_with_kills(run: Path, steps: int) -> int:
    """Begin a run, and kill it again and again. Returns how many kills left a half-written checkpoint behind."""
    chance = random.Random()
    half_written = 0
    for number, step in enumerate(sorted(chance.sample(range(1, steps - 10), KILLS))):
        process = start(run)
        wait_until(process, partial(has_logged, run, step))
        if number == WHILE_SAVING:
            wait_until(process, partial(unfinished, run))
        else:
            time.sleep(chance.uniform(0, 0.2))  # anywhere in a step
        process.kill()
        if process.wait() != -9:
            raise RuntimeError(f"training ended with status {process.returncode} before it could be killed")
        half_written += unfinished(run)
        kept = sorted(folder.name for folder in (run / "checkpoints").glob("step-*"))
        half = ", while it wrote another" * unfinished(run)
        print(f"killed behind step {last_step(run)} of {steps}; checkpoints: {', '.join(kept) or 'none'}{half}")
    return half_written


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two runs have the same weights, the same optimizer state and the same moving average, bit by bit."""
    last = max((one / "checkpoints").glob("step-*"))
    files = [one / "model.safetensors", *last.glob("*.safetensors")]
    pairs = [(file, other / file.relative_to(one)) for file in files]
    return all(copy.exists() and filecmp.cmp(file, copy, shallow=False) for file, copy in pairs)


def last_step(run: Path) -> int:
    """The last step that the run has logged."""
    return max((line["step"] for line in read_lines(run / "log.jsonl")), default=0)


def has_logged(run: Path, step: int) -> bool:
    """Whether the run has come to a step."""
    return last_step(run) >= step


def unfinished(run: Path) -> bool:
    """Whether there is a half-written checkpoint."""
    return any((run / "checkpoints").glob(".unfinished-*"))


def wait_until(process: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    """Wait until something happens, at most until the process ends."""
    while process.poll() is None and not happened():
        time.sleep(0.002)


if __name__ == "__main__":
    main()
