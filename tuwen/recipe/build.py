"""From a checked recipe to objects: the one place where names become things."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from tuwen.core.batch import Row
from tuwen.core.errors import DataError
from tuwen.core.rooms import build_part
from tuwen.core.sample import Sample, Source, Stream
from tuwen.data import DataContext
from tuwen.models.config import ModelContext
from tuwen.models.model import VisionLanguageModel
from tuwen.models.predictor import Predictor
from tuwen.objectives import Objective
from tuwen.prep.batches import Encoded, collate
from tuwen.prep.images import ImagePrep
from tuwen.prep.loader import Loader
from tuwen.prep.tokens import Tokenizer
from tuwen.recipe.model_folder import ModelFolder, read_model, save_model
from tuwen.recipe.schema import Recipe
from tuwen.recipe.step import Step
from tuwen.recipe.survey import Survey, survey
from tuwen.tasks import WORDS, Task, TaskContext


@dataclass(frozen=True)
class Data:
    """The splits of a recipe's data, and what is known of them without training.

    notes: what was guessed of them. labels, class_texts: the classes, where the data names them.
    """

    splits: Mapping[str, Source | Stream]
    notes: tuple[str, ...]
    labels: tuple[str, ...]
    class_texts: Mapping[str, Mapping[str, str]]

    @property
    def train(self) -> Source | Stream:
        """What is trained on."""
        return self.splits["train"]


@dataclass(frozen=True)
class System:
    """A model with its tokenizer, preprocessing, vocabularies and tasks: all that use needs."""

    recipe: Recipe
    model: VisionLanguageModel
    tokenizer: Tokenizer
    images: ImagePrep
    vocabulary: Mapping[str, tuple[str, ...]]
    tasks: Mapping[str, Task]

    def encode(self, sample: Sample, rng: np.random.Generator, augment: bool = True) -> Encoded:
        """A sample as the recipe's tasks want it in a batch.

        Raises:
            SampleError: its picture cannot be used.
        """
        pixels = None if sample.image is None else self.images(sample.image, sample.key, rng if augment else None)
        rows: dict[str, list[Row]] = defaultdict(list)
        for name, task in self.tasks.items():
            rows[task.stream or name] += task.encode(sample, rng)
        targets = [target for task in self.tasks.values() if (target := task.target(sample)) is not None]
        return Encoded(
            sample.key, pixels, {stream: found for stream, found in rows.items() if found}, next(iter(targets), None)
        )

    def loader(self, source: Source | Stream, workers: int, rank: int = 0, world: int = 1) -> Loader:
        """Batches for training."""
        put = partial(collate, pad=self.tokenizer.pad, packed=frozenset({WORDS}))
        train = self.recipe.train
        return Loader(source, self.encode, put, train.batch_size, train.seed, workers=workers, rank=rank, world=world)

    def predictor(self, bf16: bool = False) -> Predictor:
        """The model, ready to be asked."""
        return Predictor(self.model, self.tokenizer, self.images, bf16=bf16)

    def save(self, folder: Path, recipe: str) -> ModelFolder:
        """Write all that use needs into a folder. recipe: the resolved recipe as YAML."""
        return save_model(
            folder,
            weights=self.model.state_dict(),
            recipe=recipe,
            tokenizer=self.tokenizer,
            preprocessing=self.images.config,
            vocabulary=self.vocabulary,
        )


def build_data(recipe: Recipe) -> Data:
    """Open the data.

    Raises:
        DataError: it cannot be used, or has no split `train`.
    """
    splits = build_part("data", recipe.data, DataContext(recipe.seed), "data")
    if "train" not in splits:
        raise DataError(f"data: there is no split `train` to learn from, only {', '.join(splits) or 'none'}.")
    return Data(
        splits,
        tuple(getattr(splits, "notes", ())),
        tuple(getattr(splits, "labels", ())),
        getattr(splits, "class_texts", {}),
    )


def build_system(recipe: Recipe, data: Data) -> System:
    """A new model for the data, with first weights from the recipe's seed and a tokenizer learned from its texts."""
    found = survey(data.train, recipe.tokenizer.sample)
    tokenizer = Tokenizer.train(found.texts, recipe.tokenizer)
    return _assemble(recipe, tokenizer, _vocabulary(found, data))


def load_system(folder: Path, recipe: Recipe) -> System:
    """A trained model from its folder.

    Raises:
        CheckpointError: the folder is missing, incomplete or changed.
    """
    saved = read_model(folder)
    vocabulary = {name: tuple(words) for name, words in saved.vocabulary().items()}
    assert saved.tokenizer is not None
    tokenizer = Tokenizer.load(saved.tokenizer, recipe.tokenizer.max_length)
    exact = recipe.model_copy(update={"image": saved.preprocessing()})
    system = _assemble(exact, tokenizer, vocabulary)
    system.model.load_state_dict(saved.weights())
    return system


def build_step(system: System) -> Step:
    """The model with its objectives."""
    objectives: dict[str, Objective] = {
        name: build_part("objectives", spec, None, f"objectives.{name}")
        for name, spec in system.recipe.objectives.items()
    }
    return Step(system.model, objectives)


def _vocabulary(found: Survey, data: Data) -> dict[str, tuple[str, ...]]:
    texts = {f"text:{language}": tuple(words.values()) for language, words in data.class_texts.items()}
    return {"labels": data.labels or found.labels, "answers": found.answers, **texts}


def _assemble(recipe: Recipe, tokenizer: Tokenizer, vocabulary: Mapping[str, tuple[str, ...]]) -> System:
    images = ImagePrep(recipe.image)
    labels = vocabulary["labels"]
    class_texts = {
        name.removeprefix("text:"): dict(zip(labels, texts, strict=True))
        for name, texts in vocabulary.items()
        if name.startswith("text:")
    }
    context = TaskContext(tokenizer, labels, vocabulary["answers"], class_texts)
    tasks: dict[str, Task] = {
        name: build_part("tasks", spec, context, f"tasks.{name}") for name, spec in recipe.tasks.items()
    }
    torch.manual_seed(recipe.seed)
    model = VisionLanguageModel(
        recipe.model,
        ModelContext(
            image_size=recipe.image.size,
            mean=recipe.image.mean,
            std=recipe.image.std,
            vocab_size=len(tokenizer),
            max_length=recipe.tokenizer.max_length,
            classes={name: len(words) for name, words in vocabulary.items()},
        ),
    )
    return System(recipe, model.to(memory_format=torch.channels_last), tokenizer, images, vocabulary, tasks)
