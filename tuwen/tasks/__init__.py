"""What a person asks. Each part's `build(config, context)` returns a `Task`.

A task says how a sample becomes rows of a batch (its stream, named as the recipe names the task), and how well a model
does it on samples it has not seen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tuwen.core.batch import Row
from tuwen.core.errors import RecipeError
from tuwen.core.sample import Sample
from tuwen.models.predictor import Predictor
from tuwen.prep.batches import Together
from tuwen.prep.tokens import Tokenizer
from tuwen.report.examples import SplitExamples


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What every task may read.

    tokenizer: of the run. labels, answers: the closed vocabularies of the training data.
    class_texts: for each language, a text that describes each label, for classification without training.
    tags: the classes of which any number fits a picture.
    """

    tokenizer: Tokenizer
    labels: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    class_texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


WORDS = "words"
"""The stream of all that the language model is to say: the tasks are told apart by their prompts alone, and the rows of
one picture share a row of the batch, so that its prefix is read once."""


class Task(ABC):
    """How samples become rows, and how a model is judged."""

    stream: str | None = None
    """The stream of its rows; None for one of its own, named as the recipe names the task."""

    needs: str
    """What a sample must have for this task, for messages: `a caption`."""

    needs_picture: bool = True
    """Whether its rows are about a picture, so that a sample without one has none; False: they are read alone too."""

    together: Together | None = None
    """How its rows stand together in texts, with pictures among the words; None where each stands for itself."""

    @abstractmethod
    def finds(self, sample: Sample) -> bool:
        """Whether a sample has what this task needs, be it for training or only for evaluation."""

    @abstractmethod
    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        """The rows of one sample in training, [] where it has nothing for this task; `rng` chooses among its texts."""

    def target(self, sample: Sample) -> int | None:
        """The class of the picture, for tasks that have one."""
        return None

    def tags(self, sample: Sample) -> list[int] | None:
        """For each tag of the training data whether it fits the picture, for tasks that ask; None where unknown."""
        return None

    @abstractmethod
    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        """Figures of a model on samples, `{}` where they have nothing for this task.

        Args:
            predictor: the model.
            samples: unseen ones.
            training: some of those it was trained on; what they give away without a picture is the floor.
            page: receives examples and tallies for the report.
        """


def choose(items: Sequence[object], count: int, rng: np.random.Generator) -> list[int]:
    """`count` positions in `items`, each about as often as another, in random order; [] where there is no item."""
    if not items:
        return []
    if count == 1:
        return [int(rng.integers(len(items)))]
    rounds = -(-count // len(items))
    return np.concatenate([rng.permutation(len(items)) for _ in range(rounds)])[:count].tolist()


def check_own_texts(texts: Sequence[str] | None, wanted: bool, does: str, alone: str) -> None:
    """See that what is said of the pictures is given where it is read, and nowhere else.

    does: what the model does with a picture and its text (`classifies`). alone: what it does with pictures alone.

    Raises:
        RecipeError: it is not so.
    """
    if wanted and texts is None:
        raise RecipeError(
            f"this model {does} a picture together with its text: give that too, with `texts=` or --text."
        )
    if texts is not None and not wanted:
        raise RecipeError(f"{alone} by the picture alone: leave its text out.")


def blank(samples: Sequence[Sample], predictor: Predictor) -> list[np.ndarray]:
    """For each sample the same uniform picture, in the middle of the model's range: what is got without looking."""
    size = predictor.images.config.size
    mean = np.array(predictor.images.config.mean) * 255
    picture = np.broadcast_to(mean.astype(np.uint8), (size, size, 3)).copy()
    return [picture] * len(samples)
