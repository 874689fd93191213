"""What a person does with a trained model: `tuwen.load("runs/quickstart").caption("cat.jpg")`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import validate
from tuwen.core.sample import Picture
from tuwen.models.generate import Decoding
from tuwen.models.prompts import Prompt, Writer
from tuwen.recipe.build import System
from tuwen.recipe.run import load_run
from tuwen.tasks import Task
from tuwen.tasks.caption import PROMPTS, CaptionTask
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
        """Describe a picture, or each of several, in a language (`en`, `zh`).

        Raises:
            RecipeError: the model was not trained for it, or no caption is asked for in that language.
        """
        if language not in PROMPTS:
            raise RecipeError(f"captions are asked for in {' or '.join(PROMPTS)}, not in {language!r}.")
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

    def generate(
        self, prompts: Prompt | Sequence[Prompt], *, stop: str | Sequence[str] = (), **how: Any
    ) -> str | list[str]:
        """What the language model says after a prompt, or after each of several.

            model.generate([Path("dax.png"), "this is a dax. ", Path("wug.png"), "this is a wug. ", new, "this is a"])

        Args:
            prompts: words (`str`) and pictures (`Path`, bytes or arrays) in any order and number; or a list of such
                prompts, which are computed together.
            stop: strings before which a text ends.
            how: of `tuwen.models.generate.Decoding`: `max_new_tokens`, `beams`, `top_p`, `temperature`, `seed`, ...

        Raises:
            RecipeError: the model has no language model, or there is no such setting.
            DataError: a prompt is longer than the language model can read.
        """
        several, many = _prompts(prompts)
        decoding = validate(Decoding, how, "generate")
        found = [said.text for said in self.writer.generate(many, decoding, _stops(stop))]
        return found if several else found[0]

    def stream(self, prompt: Prompt, *, stop: str | Sequence[str] = (), **how: Any) -> Iterator[str]:
        """What the language model says after one prompt, in pieces as they are chosen; settings as in `generate`."""
        return self.writer.stream(prompt, validate(Decoding, how, "stream"), _stops(stop))

    def score(self, prompt: Prompt, candidates: Sequence[str]) -> list[float]:
        """The log-probability of each candidate as what follows the prompt; `e` to it is a share of all that could."""
        return self.writer.score([prompt], [candidates])[0]

    @property
    def writer(self) -> Writer:
        """The language model with its tokenizer, for prompts in batches, log-probabilities and scores."""
        return Writer(self.predictor)

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


def load(run: str | Path, device: torch.device | str | None = None) -> Model:
    """The trained model of a run folder.

    Args:
        run: the folder.
        device: where the model runs, such as `cpu` or `cuda:1`; None: the accelerator that PyTorch finds, else the CPU.

    Raises:
        CheckpointError: there is none, or it is incomplete or changed.
    """
    return Model(load_run(Path(run), device))


def _prompts(prompts: Prompt | Sequence[Prompt]) -> tuple[bool, list[Prompt]]:
    """Whether there are several prompts, and each of them."""
    several = bool(prompts) and all(isinstance(prompt, list | tuple) for prompt in prompts)
    return several, list(prompts) if several else [prompts]  # type: ignore[arg-type, list-item]


def _stops(stop: str | Sequence[str]) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _several(pictures: Pictures) -> bool:
    return isinstance(pictures, list | tuple)


def _many(pictures: Pictures) -> list[Picture]:
    several: list[Picture | str] = list(pictures) if isinstance(pictures, list | tuple) else [pictures]  # type: ignore[list-item]
    return [Path(picture) if isinstance(picture, str) else picture for picture in several]


def _like(pictures: Pictures, found: list[str]) -> str | list[str]:
    return found if _several(pictures) else found[0]
