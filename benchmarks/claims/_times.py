"""How two ways are timed against each other: in turn, in the same minutes, because machines have moods."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

ROUNDS = 5


def alternately(ways: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Seconds of each way, A B A B ...; each runs once beforehand, unmeasured."""
    for way in ways.values():
        way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def spread(values: list[float], digits: int = 4) -> dict[str, float]:
    """Median, least and most."""
    return {name: round(of(values), digits) for name, of in (("median", median), ("min", min), ("max", max))}


def ratio(slow: list[float], fast: list[float]) -> float:
    """By how much the second way is faster, round by round: the median of the rounds' ratios."""
    return round(median(one / other for one, other in zip(slow, fast, strict=True)), 3)
