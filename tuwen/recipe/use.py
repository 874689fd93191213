"""What a person does with a trained model: `tuwen.load("runs/quickstart").caption("cat.jpg")`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import validate
from tuwen.core.sample import Picture
from tuwen.models.generate import Decoding
from tuwen.models.prompts import Writer
from tuwen.prep.decoding import opened
from tuwen.recipe.build import System
from tuwen.recipe.run import load_run
from tuwen.tasks import Task
from tuwen.tasks.caption import PROMPTS, CaptionTask
from tuwen.tasks.classify import TEMPLATES, ClassifyTask, choose_text, describe
from tuwen.tasks.match import MatchTask
from tuwen.tasks.tag import TagTask
from tuwen.tasks.vqa import VqaTask

T = TypeVar("T", bound=Task)
F = TypeVar("F")
Shown = Picture | str | Image.Image
Pictures = Shown | Sequence[Shown]
Prompt = str | Sequence[Shown]


class Model:
    """A trained model with its own tokenizer and preprocessing.

    Pictures are paths, the bytes of a file, arrays `[H, W, 3]` of uint8 in RGB, or Pillow's; one, or a list of them.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self.predictor = system.predictor()

    def caption(self, pictures: Pictures, language: str | None = None) -> str | list[str]:
        """Describe a picture, or each of several, in a language (`en`, `zh`).

        Where none is named, in English if the model learned from English captions, else in the language that it did.

        Raises:
            RecipeError: the model was not trained for it, or no caption is asked for in that language.
        """
        language = language or self._own_language()
        if language not in PROMPTS:
            raise RecipeError(f"captions are asked for in {' or '.join(PROMPTS)}, not in {language!r}.")
        found = self._task(CaptionTask, "caption").predict(self.predictor, self._many(pictures), language)
        return _like(pictures, found)

    def answer(self, pictures: Pictures, questions: str | Sequence[str]) -> str | list[str]:
        """Answer a question about a picture; or several, about one picture or one each."""
        shown, asked = self._paired(pictures, questions, "questions")
        found = self._task(VqaTask, "vqa").predict(self.predictor, shown, asked)
        return _like(pictures, found, questions)

    def match(self, pictures: Pictures, texts: str | Sequence[str]) -> float | list[float]:
        """How well a text belongs to a picture; or several, to one picture or one each.

        The higher, the better. From a head that says yes or no, it is the logarithm of how much likelier yes is.

        Raises:
            RecipeError: the model has no task `match`.
        """
        shown, asked = self._paired(pictures, texts, "texts")
        found = self._task(MatchTask, "match").scores(self.predictor, shown, asked).tolist()
        return _like(pictures, found, texts)

    def tag(self, pictures: Pictures, texts: str | Sequence[str] | None = None) -> list[str] | list[list[str]]:
        """Those of the tags of training that fit a picture, or each of several: none, one or more.

        Args:
            pictures: to be tagged.
            texts: what is said of each picture, for a model that reads that too.

        Raises:
            RecipeError: the model was not trained for it, or reads texts and there are none, or the other way round.
        """
        shown = self._many(pictures)
        own = _one_each(shown, texts)
        found = [list(tags) for tags in self._task(TagTask, "tag").predict(self.predictor, shown, own)]
        return _like(pictures, found)

    def classify(
        self,
        pictures: Pictures,
        labels: Sequence[str] | Mapping[str, str] | None = None,
        language: str = "en",
        texts: str | Sequence[str] | None = None,
    ) -> str | list[str]:
        """The label of a picture, or of each of several.

        Args:
            pictures: to be classified.
            labels: what to choose among: labels, or a text that describes each label. None: the labels of training.
            language: of the sentence that a bare label is put into.
            texts: what is said of each picture, for a model that classifies a picture together with its text.

        Raises:
            RecipeError: the model was not trained for it, or classifies with texts and there are none, or without, or
                no label is put into a sentence of that language.
        """
        if language not in TEMPLATES:
            raise RecipeError(f"labels are put into sentences in {' or '.join(TEMPLATES)}, not in {language!r}.")
        shown = self._many(pictures)
        own = _one_each(shown, texts)
        if labels is None:
            found = self._task(ClassifyTask, "classify").predict(self.predictor, shown, own_texts=own)
            return _like(pictures, found)
        if own is not None:
            raise ValueError("labels are chosen among by the picture alone: leave `texts` out, or the labels.")
        return _like(pictures, choose_text(self.predictor, shown, _described(labels, language)))

    def generate(
        self, prompts: Prompt | Sequence[Prompt], *, stop: str | Sequence[str] = (), **how: Any
    ) -> str | list[str]:
        """What the language model says after a prompt, or after each of several.

            model.generate([Path("dax.png"), "this is a dax. ", Path("wug.png"), "this is a wug. ", new, "this is a"])

        Args:
            prompts: words (`str`) and pictures (`Path`, bytes, arrays or Pillow's) in any order and number; or a list
                of such prompts, which are computed together.
            stop: strings before which a text ends.
            how: of `tuwen.models.generate.Decoding`: `max_new_tokens`, `beams`, `top_p`, `temperature`, `seed`, ...

        Raises:
            RecipeError: the model has no language model, or there is no such setting.
            DataError: a prompt is longer than the language model can read.
        """
        several = _several(prompts) and bool(prompts) and all(map(_several, prompts))
        asked = [self._prompt(prompt) for prompt in (prompts if several else [prompts])]  # type: ignore[arg-type]
        decoding = validate(Decoding, how, "generate")
        found = [said.text for said in self.writer.generate(asked, decoding, _stops(stop))]
        return found if several else found[0]

    def stream(self, prompt: Prompt, *, stop: str | Sequence[str] = (), **how: Any) -> Iterator[str]:
        """What the language model says after one prompt, in pieces as they are chosen; settings as in `generate`."""
        return self.writer.stream(self._prompt(prompt), validate(Decoding, how, "stream"), _stops(stop))

    def score(self, prompt: Prompt, candidates: str | Sequence[str]) -> list[float]:
        """The log-probability of each candidate as what follows the prompt; `e` to it is a share of all that could."""
        texts = _texts(candidates, "candidates")
        if not texts:
            raise ValueError("candidates: there is nothing to score; give at least one text.")
        return self.writer.score([self._prompt(prompt)], [texts])[0]

    @property
    def writer(self) -> Writer:
        """The language model with its tokenizer, for prompts in batches, log-probabilities and scores."""
        return Writer(self.predictor)

    def embed_images(self, pictures: Pictures) -> Tensor:
        """`[P, E]` of unit length, to be compared with those of texts."""
        return self.predictor.embed_images(self._many(pictures))

    def embed_texts(self, texts: str | Sequence[str]) -> Tensor:
        """`[R, E]` of unit length, to be compared with those of pictures."""
        return self.predictor.embed_texts(_texts(texts, "texts"))

    def _own_language(self) -> str:
        """English where the model learned it or nobody knows, else the first that captions can be asked for in."""
        known = [name for name in self.system.vocabulary.get("languages", ()) if name in PROMPTS]
        return known[0] if known and "en" not in known else "en"

    def _paired(self, pictures: Pictures, texts: str | Sequence[str], what: str) -> tuple[list[Picture], list[str]]:
        """As many pictures as texts; one goes with all of the others."""
        shown, asked = self._many(pictures), _texts(texts, what)
        shown = shown * len(asked) if len(shown) == 1 else shown
        asked = asked * len(shown) if len(asked) == 1 else asked
        if len(shown) != len(asked):
            raise ValueError(f"{len(shown)} pictures and {len(asked)} {what}: give as many of each.")
        return shown, asked

    def _many(self, pictures: Pictures) -> list[Picture]:
        several = pictures if isinstance(pictures, list | tuple) else [pictures]
        return [Path(one) if isinstance(one, str) else self._picture(one) for one in several]

    def _prompt(self, prompt: Prompt) -> list[Picture | str]:
        parts = prompt if isinstance(prompt, list | tuple) else [prompt]
        return [part if isinstance(part, str) else self._picture(part) for part in parts]

    def _picture(self, shown: Any) -> Picture:
        if isinstance(shown, Image.Image):
            return opened(shown, self.system.images.config.background)
        if isinstance(shown, os.PathLike):
            return Path(shown)
        if isinstance(shown, bytes | np.ndarray):
            return shown
        raise TypeError(
            "a picture is a path, the bytes of a file, an array [H, W, 3] of uint8 or one of Pillow's, and several are "
            f"a list or a tuple of them, not {type(shown).__name__}."
        )

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


def _stops(stop: str | Sequence[str]) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _texts(texts: Any, what: str) -> list[str]:
    alone = isinstance(texts, str | bytes | Mapping) or not isinstance(texts, Iterable)
    found = [texts] if alone else list(texts)
    if wrong := [text for text in found if not isinstance(text, str)]:
        raise TypeError(f"{what}: give a text, or a list of texts, not {type(wrong[0]).__name__}.")
    return found


def _one_each(pictures: Sequence[Picture], texts: str | Sequence[str] | None) -> list[str] | None:
    """What is said of each picture."""
    own = None if texts is None else _texts(texts, "texts")
    if own is not None and len(own) != len(pictures):
        raise ValueError(f"{len(pictures)} pictures and {len(own)} texts: give as many of each.")
    return own


def _described(labels: Sequence[str] | Mapping[str, str], language: str) -> dict[str, str]:
    """A text for each label."""
    if isinstance(labels, str):
        raise TypeError(f"labels: give a list of texts to choose among, not the text {labels!r} alone.")
    template = TEMPLATES[language]
    texts = dict(labels) if isinstance(labels, Mapping) else {label: describe(label, template) for label in labels}
    if not texts:
        raise ValueError("labels: there is nothing to choose among; give texts, or None for the labels of training.")
    return texts


def _several(asked: Any) -> bool:
    return isinstance(asked, list | tuple)


def _like(pictures: Pictures, found: list[F], texts: str | Sequence[str] = "") -> F | list[F]:
    """What was found for one picture (and one text) by itself, for several as a list."""
    return found[0] if isinstance(texts, str) and not _several(pictures) else found
