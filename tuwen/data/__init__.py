"""Where samples come from. Each part's `build(config, context)` returns `Splits`: sources or streams by split name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DataContext:
    """What every data part may read: the run's seed."""

    seed: int = 0
