"""Samples as the recipe's tasks want them in a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from tuwen.core.batch import Batch, Row
from tuwen.core.sample import Sample
from tuwen.prep.batches import Encoded, collate
from tuwen.prep.images import ImagePrep
from tuwen.tasks import WORDS, Task

T = TypeVar("T")


@dataclass(frozen=True)
class Encoder:
    """The tasks of a recipe, and how pictures and texts become a batch.

    pad: the token id that fills rows up.
    weights: of those tasks of which a sample is encoded for one at a time, drawn in this proportion; empty for all.
    picture: positions that a picture takes among the words that a language model reads.
    """

    tasks: Mapping[str, Task]
    images: ImagePrep
    pad: int
    weights: Mapping[str, float] = field(default_factory=dict)
    picture: int = 1

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
        pixels = view = None
        if sample.image is not None:
            pixels = self.images(sample.image, sample.key, rng if augment else None)
            view = self.images.view(sample.image, sample.key, rng) if augment else None
        rows: dict[str, list[Row]] = defaultdict(list)
        asked = {name: task for name, task in self.tasks.items() if pixels is not None or not task.needs_picture}
        asked = self._drawn(asked, sample, rng)
        for name, task in asked.items():
            rows[self.stream(name)] += task.encode(sample, rng)
        return Encoded(
            key=sample.key,
            pixels=pixels,
            rows={stream: found for stream, found in rows.items() if found},
            target=_first(task.target(sample) for task in asked.values()),
            tags=_first(task.tags(sample) for task in asked.values()),
            view=view,
        )

    def _drawn(self, tasks: dict[str, Task], sample: Sample, rng: np.random.Generator) -> dict[str, Task]:
        """Of the tasks with a weight that find something in the sample one; the tasks without a weight all stay."""
        able = [name for name, task in tasks.items() if name in self.weights and task.finds(sample)]
        if len(able) < 2:
            return tasks
        shares = np.array([self.weights[name] for name in able])
        drawn = able[int(rng.choice(len(able), p=shares / shares.sum()))]
        return {name: task for name, task in tasks.items() if name == drawn or name not in self.weights}

    def collate(self, samples: Sequence[Encoded]) -> Batch:
        """Encoded samples as a batch."""
        together = {
            self.stream(name): replace(task.together, picture=self.picture)
            for name, task in self.tasks.items()
            if task.together is not None
        }
        return collate(samples, pad=self.pad, packed=frozenset({WORDS}), together=together)


def _first(values: Iterable[T | None]) -> T | None:
    """The first that is known."""
    return next((value for value in values if value is not None), None)
