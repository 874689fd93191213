"""How often a sample is learned for each of the tasks that it has something for."""

from __future__ import annotations

from collections.abc import Mapping

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import nearest
from tuwen.recipe.schema import MixConfig
from tuwen.recipe.survey import Survey
from tuwen.tasks import Task


def task_weights(config: MixConfig, tasks: Mapping[str, Task], found: Survey) -> Mapping[str, float]:
    """A weight for each task, `{}` where every sample is learned for all of its tasks.

    Args:
        config: what the recipe says.
        tasks: those that something is learned from.
        found: the training data.

    Raises:
        RecipeError: weights are given, but not for these tasks.
    """
    if config.weights == "all" or len(tasks) < 2:
        return {}
    if isinstance(config.weights, dict):
        for name in (*config.weights, *tasks):
            if name not in tasks or name not in config.weights:
                known = list(tasks)
                raise RecipeError(
                    f"mix.weights: give a number for each task that is learned from, {', '.join(known)}; "
                    f"{name!r} is {'none of them' if name in config.weights else 'missing'}.{nearest(name, known)}"
                )
        return config.weights
    if config.weights == "even":
        return dict.fromkeys(tasks, 1.0)
    return {name: _samples(task, found) ** (1 / config.temperature) for name, task in tasks.items()}


def _samples(task: Task, found: Survey) -> float:
    """How many training samples have something for a task."""
    alike = zip(found.examples, found.stands_for, strict=True)
    return sum(often for sample, often in alike if task.finds(sample))
