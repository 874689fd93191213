"""What a person asks. Each part's `build(config, context)` returns a `Task`.

A task says how a sample becomes rows of a batch (its stream, named as the recipe names the task), and how well a model
does it on unseen samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuwen.core.batch import Row
from tuwen.core.sample import Sample
from tuwen.prep.tokens import Tokenizer


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What every task may read: the tokenizer, and the closed vocabularies of the training data."""

    tokenizer: Tokenizer
    labels: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


class Task(ABC):
    """How samples become rows, and how a model is judged."""

    packed = False
    """Whether the rows of one picture share a row of the batch, for a language model."""

    @abstractmethod
    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        """The rows of one sample in training, [] where it has nothing for this task; `rng` chooses among its texts."""

    def target(self, sample: Sample) -> int | None:
        """The class of the picture, for tasks that have one."""
        return None


def choose(items: Sequence[object], count: int, rng: np.random.Generator) -> list[int]:
    """`count` positions in `items`, each as often as the next but for one, in random order."""
    if not items:
        return []
    rounds = -(-count // len(items))
    return np.concatenate([rng.permutation(len(items)) for _ in range(rounds)])[:count].tolist()
