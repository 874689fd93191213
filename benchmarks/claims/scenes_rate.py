"""How many scenes a second one core makes: 64 pixels, one to three things, each picture with all its texts."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is imported: one core means one

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from _claim import report

from tuwen.data.scenes import Config, Scenes, build

ROUNDS, SCENES = 7, 2000


def main() -> None:
    """Measure in rounds and report the middle one."""
    started = time.perf_counter()
    train = build(Config())["train"]
    assert isinstance(train, Scenes)
    scenes = [train.scene(index) for index in range(SCENES)]
    values = {
        "pictures_per_second": rate(train.__getitem__, range(ROUNDS * SCENES)),
        "pictures_alone_per_second": rate(train.render, scenes * ROUNDS),
    }
    report("scenes_rate", values, {"pictures_per_second": ">= 3000"}, time.perf_counter() - started)


def rate(work: Callable[[Any], object], items: Sequence[Any]) -> int:
    """Items a second, the median over rounds; the first few warm the caches up."""
    for item in items[:100]:
        work(item)
    seconds = []
    for first in range(0, len(items), SCENES):
        started = time.perf_counter()
        for item in items[first : first + SCENES]:
            work(item)
        seconds.append(time.perf_counter() - started)
    return round(SCENES / statistics.median(seconds))


if __name__ == "__main__":
    main()
