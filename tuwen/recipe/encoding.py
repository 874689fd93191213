"""Samples as the recipe's tasks want them in a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tuwen.core.batch import Batch, Row
from tuwen.core.sample import Sample
from tuwen.prep.batches import Encoded, collate
from tuwen.prep.images import ImagePrep
from tuwen.tasks import WORDS, Task


@dataclass(frozen=True)
class Encoder:
    """The tasks of a recipe, and how pictures and texts become a batch.

    pad: the token id that fills rows up.
    """

    tasks: Mapping[str, Task]
    images: ImagePrep
    pad: int

    def only(self, names: Iterable[str]) -> Encoder:
        """The same with some of the tasks."""
        return replace(self, tasks={name: self.tasks[name] for name in names})

    def stream(self, task: str) -> str:
        """The stream that holds a task's rows."""
        return self.tasks[task].stream or task

    def __call__(self, sample: Sample, rng: np.random.Generator, augment: bool = True) -> Encoded:
        """A sample in training, or without augmentation.

        Raises:
            SampleError: its picture cannot be used.
        """
        pixels = None if sample.image is None else self.images(sample.image, sample.key, rng if augment else None)
        rows: dict[str, list[Row]] = defaultdict(list)
        for name, task in self.tasks.items():
            rows[self.stream(name)] += task.encode(sample, rng)
        targets = [target for task in self.tasks.values() if (target := task.target(sample)) is not None]
        return Encoded(
            sample.key, pixels, {stream: found for stream, found in rows.items() if found}, next(iter(targets), None)
        )

    def collate(self, samples: Sequence[Encoded]) -> Batch:
        """Encoded samples as a batch."""
        return collate(samples, pad=self.pad, packed=frozenset({WORDS}))
