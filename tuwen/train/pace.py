"""How fast a run is, and how many steps its time allows."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field

from tuwen.train.plan import Plan

GUESS = 10_000
"""Steps of a run with a time limit before its speed is known; only the first few learning rates depend on it."""

EARLY = (2, 5, 20)
"""The steps at which the first plans are made."""

SURE = 20
"""So many steps must have been timed, and passed since the last change, before a plan is changed for being off."""

AIM = 0.985
"""The share of the time left that a plan fills."""


@dataclass(slots=True)
class Pace:
    """How long the last steps took, each from the wait for its data to its end."""

    recent: deque[float] = field(default_factory=lambda: deque(maxlen=100))

    def add(self, seconds: float) -> None:
        """Take note of a step."""
        self.recent.append(seconds)

    @property
    def step_seconds(self) -> float:
        """The usual time of a step. The slowest tenth is left out: those compiled something, or wrote a checkpoint."""
        usual = sorted(self.recent)[: max(1, math.ceil(0.9 * len(self.recent)) - 1)]
        return sum(usual) / max(1, len(usual))


@dataclass(slots=True)
class Budget:
    """Plans a number of steps that fits into a time.

    seconds: the time for everything from the start of training to its last checkpoint.
    reserve: seconds to keep for the last checkpoint.
    """

    seconds: float
    reserve: float = 1.0

    def revised(self, plan: Plan, step: int, elapsed: float, pace: Pace) -> int | None:
        """A better number of steps than the plan's, or None where the plan will do.

        The plan is made after a few steps and made better twice; later it changes only where it would end too late, or
        much too early. It aims a little short of the limit, so that small delays change nothing.
        """
        if not pace.recent or step < plan.decided:
            return None
        left = self.seconds - self.reserve - elapsed
        steps = plan.total(step) - step
        settled = len(pace.recent) >= SURE and step - plan.decided >= min(SURE, steps // 4)
        astray = settled and not 0.95 * left < steps * pace.step_seconds <= left
        if left > 0 and step not in EARLY and not astray:
            return None
        total = step + max(0, int(AIM * left / pace.step_seconds))
        return None if total == plan.total(step) else total


class Clock:
    """Training time: everything since training began, over all resumptions.

    Args:
        began: `time.monotonic()` when this process began.
        earlier: seconds that the checkpoint it goes on from had seen.
    """

    def __init__(self, began: float, earlier: float) -> None:
        self.began, self.earlier = began, earlier

    @property
    def seconds(self) -> float:
        """Training time so far."""
        return self.earlier + time.monotonic() - self.began

    def restart(self) -> None:
        """Forget this process's time until now."""
        self.began = time.monotonic()
