"""How fast a run is, and how many steps its time allows."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field

from tuwen.train.plan import Plan

GUESS = 10_000
"""Steps of a run with a time limit before its speed is known; only the first few learning rates depend on it."""

FREE = (2, 5, 20, 100)
"""The steps at which the plan may also become longer."""

SURE = 20
"""So many steps must have been timed before the plan is shortened for being late."""


@dataclass(slots=True)
class Pace:
    """How long the last steps took, each from the wait for its data to its end."""

    recent: deque[float] = field(default_factory=lambda: deque(maxlen=50))

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

        The plan is made after a few steps, and made better twice; from then on it is only shortened, and only where it
        would take too long. It aims a little short of the limit, so that small delays change nothing.
        """
        if not pace.recent or step < plan.decided:
            return None
        left = self.seconds - self.reserve - elapsed
        late = (plan.total(step) - step) * pace.step_seconds > left
        if step in FREE or (late and len(pace.recent) >= SURE) or left <= 0:
            total = step + max(0, int(0.985 * left / pace.step_seconds))
            return None if total == plan.total(step) else total
        return None


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
