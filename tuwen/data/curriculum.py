"""`curriculum`: easy data first (Bengio et al. 2009, "Curriculum learning", ICML).

Stages follow each other: single things before scenes of several, short texts before long ones.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Any

import numpy as np
from pydantic import Field

from tuwen.core.errors import DataError
from tuwen.core.rooms import PartConfig, build_part
from tuwen.core.sample import Sample, Source
from tuwen.data import DataContext, NotedSplits, classes_of
from tuwen.prep.order import permute


class Stage(PartConfig):
    """samples: how many are seen before the next stage; of the last one, one epoch where not given."""

    data: dict[str, Any]
    samples: int | None = Field(default=None, ge=1)


class Config(PartConfig):
    """stages: data sets in the order in which they are seen. Evaluation is on those of the last stage."""

    stages: tuple[Stage, ...] = Field(min_length=2)


class Curriculum:
    """Sources one after the other, each in a random order of its own. An epoch goes through all stages."""

    ordered = True

    def __init__(self, sources: list[Source], lengths: list[int], seed: int) -> None:
        self.sources = sources
        self.seed = seed
        self._ends = list(accumulate(lengths))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        stage = bisect_right(self._ends, index)
        source = self.sources[stage]
        epoch, place = divmod(index - (self._ends[stage - 1] if stage else 0), len(source))
        return source[int(permute(np.array([place]), len(source), self.seed + stage, epoch)[0])]


def build(config: Config, context: DataContext | None = None) -> NotedSplits:
    """`train` in stages, and the other splits of the last stage; the labels are those of all stages.

    Raises:
        DataError: a stage cannot be asked by number, is empty, or does not say how many samples it takes.
    """
    context = context or DataContext()
    built = [
        build_part("data", stage.data, context, f"data.stages.{number}.data")
        for number, stage in enumerate(config.stages)
    ]
    sources: list[Source] = []
    lengths: list[int] = []
    for number, (stage, splits) in enumerate(zip(config.stages, built, strict=True)):
        source = splits["train"]
        if not isinstance(source, Source) or len(source) == 0:
            raise DataError(f"data.stages.{number}: it is a stream or empty; a stage must be asked for by number.")
        if stage.samples is None and number + 1 < len(built):
            raise DataError(f"data.stages.{number}.samples: say how many are seen before the next stage begins.")
        sources.append(source)
        lengths.append(stage.samples or len(source))
    notes = [f"stage {number}: {note}" for number, splits in enumerate(built) for note in getattr(splits, "notes", ())]
    train = Curriculum(sources, lengths, context.seed)
    return NotedSplits({**built[-1], "train": train}, notes, *classes_of(built))
