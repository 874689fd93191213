"""What a person does with a trained model: `tuwen.load("runs/quickstart").caption("cat.jpg")`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from tuwen.core.errors import RecipeError
from tuwen.core.sample import Picture
from tuwen.recipe.build import System
from tuwen.recipe.run import load_run
from tuwen.tasks import Task
from tuwen.tasks.caption import CaptionTask
from tuwen.tasks.classify import TEMPLATES, ClassifyTask
from tuwen.tasks.vqa import VqaTask

T = TypeVar("T", bound=Task)
Pictures = Picture | str | Sequence[Picture | str]


class Model:
    """A trained model with its own tokenizer and preprocessing.

    Pictures are paths, the bytes of a file, or arrays `[H, W, 3]` of uint8 in RGB; one, or a list of them.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self.predictor = system.predictor()

    def caption(self, pictures: Pictures, language: str = "en") -> str | list[str]:
        """Describe a picture, or each of several, in a language (`en`, `zh`)."""
        found = self._task(CaptionTask, "caption").predict(self.predictor, _many(pictures), language)
        return _like(pictures, found)

    def answer(self, pictures: Pictures, questions: str | Sequence[str]) -> str | list[str]:
        """Answer a question about a picture; or several, about one picture or one each."""
        asked = [questions] if isinstance(questions, str) else list(questions)
        shown = _many(pictures)
        shown = shown * len(asked) if len(shown) == 1 else shown
        asked = asked * len(shown) if len(asked) == 1 else asked
        if len(shown) != len(asked):
            raise ValueError(f"{len(shown)} pictures and {len(asked)} questions: give as many of each.")
        found = self._task(VqaTask, "vqa").predict(self.predictor, shown, asked)
        return found[0] if isinstance(questions, str) and not _several(pictures) else found

    def classify(
        self, pictures: Pictures, labels: Sequence[str] | Mapping[str, str] | None = None, language: str = "en"
    ) -> str | list[str]:
        """The label of a picture, or of each of several.

        Args:
            pictures: to be classified.
            labels: what to choose among: labels, or a text that describes each label. None: the labels of training.
            language: of the sentence that a bare label is put into.
        """
        if labels is None:
            found = self._task(ClassifyTask, "classify").predict(self.predictor, _many(pictures))
            return _like(pictures, found)
        template = TEMPLATES.get(language, "{}")
        texts = dict(labels) if isinstance(labels, Mapping) else {label: template.format(label) for label in labels}
        names = list(texts)
        similarity = self.embed_images(_many(pictures)) @ self.embed_texts(list(texts.values())).T
        return _like(pictures, [names[number] for number in similarity.argmax(-1).tolist()])

    def embed_images(self, pictures: Pictures) -> Tensor:
        """`[P, E]` of unit length, to be compared with those of texts."""
        return self.predictor.embed_images(_many(pictures))

    def embed_texts(self, texts: str | Sequence[str]) -> Tensor:
        """`[R, E]` of unit length, to be compared with those of pictures."""
        return self.predictor.embed_texts([texts] if isinstance(texts, str) else list(texts))

    def _task(self, kind: type[T], name: str) -> T:
        for task in self.system.tasks.values():
            if isinstance(task, kind):
                return task
        there = ", ".join(self.system.tasks) or "none"
        raise RecipeError(f"this model was not trained for the task {name} (its tasks: {there}).")


def load(run: str | Path) -> Model:
    """The trained model of a run folder.

    Raises:
        CheckpointError: there is none, or it is incomplete or changed.
    """
    return Model(load_run(Path(run)))


def _several(pictures: Pictures) -> bool:
    return isinstance(pictures, list | tuple)


def _many(pictures: Pictures) -> list[Picture]:
    several: list[Picture | str] = list(pictures) if isinstance(pictures, list | tuple) else [pictures]  # type: ignore[list-item]
    return [Path(picture) if isinstance(picture, str) else picture for picture in several]


def _like(pictures: Pictures, found: list[str]) -> str | list[str]:
    return found if _several(pictures) else found[0]
