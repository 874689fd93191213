"""Classes that only the evaluation would meet: a trained head can never give them."""

from __future__ import annotations

from collections.abc import Mapping

from tuwen.core.errors import DataError
from tuwen.core.sample import Source
from tuwen.recipe.schema import Recipe
from tuwen.recipe.sources import Data, some, sound
from tuwen.recipe.survey import Survey
from tuwen.tasks import Task
from tuwen.tasks.classify import ClassifyTask


def refuse_unseen_labels(recipe: Recipe, data: Data, found: Survey, tasks: Mapping[str, Task]) -> None:
    """Find before training what a trained head would get wrong for no fault of its own.

    Says nothing where not all of the training data was looked at, because a rare label may be in the rest.

    Raises:
        DataError: a sample of another split has a label that no training sample has.
    """
    by_head = [name for name, task in tasks.items() if isinstance(task, ClassifyTask) and task.config.by == "head"]
    if not by_head or not isinstance(data.train, Source) or found.samples + len(found.broken) < len(data.train):
        return
    wanted = recipe.evaluate.splits
    for split, source in data.splits.items():
        if split == "train" or (wanted is not None and split not in wanted):
            continue
        for sample in sound(some(source, recipe.evaluate.samples)):
            if sample.label is not None and sample.label not in found.labels:
                raise DataError(
                    f"data: {sample.key} in the split {split!r} has the label {sample.label!r}, which no training "
                    f"sample has: the head of tasks.{by_head[0]} could never give it. Add training samples of it, take "
                    f"it out, or compare with texts instead: --set tasks.{by_head[0]}.by=texts"
                )
