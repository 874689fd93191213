"""A recipe made to fit its training data, before any weight is made.

Where the data has nothing for a task or an objective, it is left out if the recipe says that it is optional, and
refused if not: nobody shall train for an hour to find that no position carried a loss.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tuwen.core.batch import Batch
from tuwen.core.errors import RecipeError
from tuwen.core.rooms import find_part
from tuwen.objectives import Objective
from tuwen.recipe.encoding import Encoder
from tuwen.recipe.reading import write_value
from tuwen.recipe.schema import Recipe
from tuwen.recipe.survey import Survey

_COLUMNS = {
    "classify": ("label_column=COLUMN",),
    "tag": ("tags_column=COLUMN",),
    "vqa": ("question_column=COLUMN", "answer_column=COLUMN"),
    "caption": ("caption_columns=[COLUMN]",),
    "retrieve": ("caption_columns=[COLUMN]",),
}
"""For kinds of tasks, how a table says where it has what they need."""


class Fit:
    """The tasks and objectives of a recipe that find something in its data.

    Args:
        recipe: as it was resolved.
        encoder: with all of the recipe's tasks.
        objectives: all of the recipe's objectives.
        found: what the training data has.

    Attributes:
        encoder: with the tasks that are kept.
        objectives: those that are kept.
        lacking: the keys of tasks and objectives for which the data has nothing.
        unsuited: the keys of objectives that cannot read what the recipe makes of the data, and why.

    Raises:
        RecipeError: one that is not optional finds nothing, or nothing is left to learn.
    """

    def __init__(
        self, recipe: Recipe, encoder: Encoder, objectives: Mapping[str, Objective[Any]], found: Survey
    ) -> None:
        self.whole, self.found = recipe, found
        self.lacking: list[str] = []
        self.unsuited: dict[str, str] = {}
        self.encoder = encoder.only([name for name in encoder.tasks if self._finds_samples(encoder, name)])
        self.objectives = {name: objective for name, objective in objectives.items() if self._suits(name, objective)}
        counts = self._counts(*self.encoder.tasks)
        suited = self.objectives
        self.objectives = {name: suited[name] for name in suited if self._finds_rows(name, counts[name])}
        if not self.objectives:
            raise RecipeError(f"objectives: the training data has nothing that they could learn from: {self._had()}.")
        self.encoder = self.encoder.only([name for name in self.encoder.tasks if self._is_read(name)])

    @property
    def left_out(self) -> tuple[str, ...]:
        """The keys of all tasks and objectives that are not kept."""
        return *self.unsuited, *self.lacking

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out, and why, in sentences."""
        lacking = ", ".join(self.lacking)
        said = (f"Left out, because the training data has nothing for them: {lacking}.",) if lacking else ()
        return *(f"Left out {key}: {why}." for key, why in self.unsuited.items()), *said

    @property
    def trained_by(self) -> dict[str, tuple[str, ...]]:
        """For each task, the objectives that find a loss in its rows; none where it only evaluates."""
        return {name: self._trained_by(name) for name in self.encoder.tasks}

    def batch(self, *tasks: str) -> Batch:
        """The examples of the survey as some tasks encode them, with blank pictures in place of theirs."""
        size = self.encoder.images.config.size
        blank = np.zeros((size, size, 3), np.uint8)
        seen = [sample if sample.image is None else replace(sample, image=blank) for sample in self.found.examples]
        encode, rng = self.encoder.only(tasks), np.random.default_rng(0)
        return encode.collate([encode(sample, rng) for sample in seen])

    def recipe(self, vocabulary: Mapping[str, Collection[str]]) -> Recipe:
        """The recipe without what is left out, and without heads over a vocabulary that is empty then."""
        if not self.left_out:
            return self.whole
        model = self.whole.model
        empty = [name for name, words in vocabulary.items() if not words]
        heads = {name: head for name, head in model.heads.items() if head.classes not in empty}
        return self.whole.model_copy(
            update={
                "tasks": {name: self.whole.tasks[name] for name in self.encoder.tasks},
                "objectives": {name: self.whole.objectives[name] for name in self.objectives},
                "model": model.model_copy(update={"heads": heads}),
                "optional": (),
            }
        )

    def _suits(self, name: str, objective: Objective[Any]) -> bool:
        """Whether the recipe makes of pictures and texts what an objective can read."""
        why = _unsuited(objective, self.whole)
        key = f"objectives.{name}"
        if why is not None and name not in self.whole.optional:
            raise RecipeError(f"{key}: {why}, or take it out with --set {key}=null.")
        if why is not None:
            self.unsuited[key] = why
        return why is None

    def _finds_samples(self, encoder: Encoder, name: str) -> bool:
        task = encoder.tasks[name]
        found = any(task.finds(sample) for sample in self.found.examples)
        return found or self._leave_out("tasks", name, f"no training sample has {task.needs}")

    def _finds_rows(self, name: str, count: float) -> bool:
        return count > 0 or self._leave_out(
            "objectives", name, f"no position would carry a loss: {self.objectives[name].lacks}"
        )

    def _is_read(self, name: str) -> bool:
        batch = self.batch(name)
        gives = batch.texts or batch.target is not None or batch.tags is not None
        found = not gives or bool(self._trained_by(name))
        why = f"no position would carry a loss: no objective reads its rows, the stream {self.encoder.stream(name)!r}"
        return found or self._leave_out("tasks", name, why)

    def _trained_by(self, task: str) -> tuple[str, ...]:
        """The objectives that find more where the task is than in the pictures alone."""
        alone = self._counts()
        return tuple(name for name, count in self._counts(task).items() if count > alone[name])

    def _counts(self, *tasks: str) -> dict[str, float]:
        batch = self.batch(*tasks)
        return {name: objective.count(batch) for name, objective in self.objectives.items()}

    def _leave_out(self, room: str, name: str, why: str) -> bool:
        key = f"{room}.{name}"
        if name not in self.whole.optional:
            others = f"take it out with --set {key}=null, or name {name} under `optional` in the recipe"
            alone = len(getattr(self.whole, room)) == 1  # without it, there would be nothing to learn
            remedy = f"{self._columns(room, name)}, {'or give other data' if alone else others}"
            raise RecipeError(f"{key}: {why}. {self._had()}. {remedy}.")
        self.lacking.append(key)
        return False

    def _columns(self, room: str, name: str) -> str:
        """How to name the columns that a task needs, for messages."""
        wanted = _COLUMNS.get(self.whole.tasks[name]["kind"], ()) if room == "tasks" else ()
        settings = [f"--set data.{column}" for column in wanted if column.partition("=")[0] in self.whole.data]
        said = f" ({' '.join(settings)})" if settings else ""
        return f"Name the columns of the data that have it{said}"

    def _had(self) -> str:
        """What the samples have, for messages."""
        samples = self.found.examples
        has = {
            "captions": any(sample.captions for sample in samples),
            "questions with answers": any(sample.questions for sample in samples),
            "labels": any(sample.label is not None for sample in samples),
            "tags": any(sample.tags is not None for sample in samples),
            "boxes": any(sample.boxes for sample in samples),
        }
        there = ", ".join(what for what in has if has[what]) or "nothing but pictures"
        return f"The {self.found.samples:,} samples looked at have {there}"


def _unsuited(objective: Objective[Any], recipe: Recipe) -> str | None:
    """Why the recipe's pictures or its fusion are nothing for an objective, and what to change."""
    terms = [term for _, term in objective.terms("").values()]
    moving = recipe.image.moving
    if moving and any(term.needs_places for term in terms):
        still = " and ".join(f"{name}={write_value(value)}" for name, value in moving.items())
        return f"boxes do not move along with what {' and '.join(moving)} may move; say {still}"
    fusion = (recipe.model.fusion or {}).get("kind")
    of_words = fusion is not None and getattr(find_part("fusion", fusion), "OF_WORDS", False)
    if not of_words and any(term.needs_words for term in terms):
        has = (
            "the model has no fusion"
            if fusion is None
            else f"the fusion {fusion} has no vector for each word of a text"
        )
        return f"{has}; take one like cross_attention"
    return None
