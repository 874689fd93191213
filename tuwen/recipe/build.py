"""From a checked recipe to objects: the one place where names become things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

from tuwen.core.errors import CheckpointError, RecipeError
from tuwen.core.sample import Sample, Source, Stream
from tuwen.models.config import ModelContext
from tuwen.models.lora import merged_state
from tuwen.models.model import VisionLanguageModel
from tuwen.models.predictor import Predictor
from tuwen.prep.images import ImagePrep
from tuwen.prep.loader import Loader
from tuwen.prep.tokens import Tokenizer
from tuwen.recipe.encoding import Encoder
from tuwen.recipe.model_folder import ModelFolder, read_model, save_model
from tuwen.recipe.prepare import Prepared, Vocabulary, build_objectives, build_tasks, prepare
from tuwen.recipe.schema import Recipe
from tuwen.recipe.sources import Data
from tuwen.recipe.start import Start, begin_as_zero_shot, shape_in
from tuwen.recipe.step import Step
from tuwen.recipe.trial import refuse_to_learn_nothing, unused_parts, without
from tuwen.tasks import Task
from tuwen.tasks.classify import ClassifyTask


@dataclass(frozen=True)
class System:
    """A model with its tokenizer, preprocessing, vocabularies and tasks: all that use needs.

    notes: what the recipe had to give up to fit its data, in sentences.
    counts: how often each class of a vocabulary occurs in training; empty in use.
    mix: the weights of the tasks, where a sample is learned for one at a time; empty in use.
    carried: the parts that began with what a trained model knew; empty in use.
    """

    recipe: Recipe
    model: VisionLanguageModel
    tokenizer: Tokenizer
    images: ImagePrep
    vocabulary: Vocabulary
    tasks: Mapping[str, Task]
    notes: tuple[str, ...] = ()
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    carried: tuple[str, ...] = ()
    mix: Mapping[str, float] = field(default_factory=dict)

    @property
    def encoder(self) -> Encoder:
        """How samples become batches."""
        prefix = self.model.prefix
        return Encoder(self.tasks, self.images, self.tokenizer.pad, picture=1 if prefix is None else prefix.length)

    def loader(self, source: Source | Stream, workers: int, rank: int = 0, world: int = 1) -> Loader:
        """Batches for training."""
        encode, train = replace(self.encoder, weights=self.mix), self.recipe.train
        return Loader(
            source, encode, encode.collate, train.batch_size, train.seed, workers=workers, rank=rank, world=world
        )

    def predictor(self, bf16: bool = False) -> Predictor:
        """The model, ready to be asked."""
        return Predictor(self.model, self.tokenizer, self.images, bf16=bf16)

    def save(self, folder: Path, recipe: str) -> ModelFolder:
        """Write all that use needs into a folder. recipe: the resolved recipe as YAML."""
        return save_model(
            folder,
            weights=merged_state(self.model),
            recipe=recipe,
            tokenizer=self.tokenizer,
            preprocessing=self.images.config,
            vocabulary=self.vocabulary,
        )


def build_system(recipe: Recipe, data: Data, world: int = 1) -> System:
    """A new model for the data, with first weights from the recipe's seed and a tokenizer learned from its texts.

    Where something was left out because the data has nothing for it, so are the parts of the model that nothing else
    uses. `System.recipe` is what is left.

    Raises:
        DataError: no sample can be used, or too few.
        RecipeError: a task or an objective would find no position with a loss, or asks for a part that is not there.
    """
    return assemble(prepare(recipe, data, world))


def assemble(prepared: Prepared) -> System:
    """The model of a recipe that fits its data."""
    return replace(_fitted(prepared), mix=prepared.mix)


def _fitted(prepared: Prepared) -> System:
    build = partial(_assemble, counts=prepared.counts, pretrained=prepared.start is None)
    system = build(prepared.recipe, prepared.tokenizer, prepared.vocabulary, prepared.notes)
    unused = unused_parts(build_step(system), prepared.preview)
    refuse_to_learn_nothing(system.model, unused)
    if prepared.start is not None:
        return started(system, prepared.start, prepared.found.examples)
    if not unused or not prepared.left_out:
        return system
    recipe = prepared.recipe.model_copy(update={"model": without(prepared.recipe.model, unused)})
    note = f"Left out of the model, because nothing else uses them: {', '.join(unused)}."
    return build(recipe, prepared.tokenizer, prepared.vocabulary, (*prepared.notes, note))


def started(system: System, start: Start, samples: Sequence[Sample]) -> System:
    """A new system with what a trained model knows, whole: parts that its objectives do not run stay in it.

    Raises:
        RecipeError: a part has other settings than it was trained with.
    """
    carried = start.give(system.model, system.vocabulary)
    notes, known = [carried.note(start.config.run)], carried.parts
    for head in (head for head in start.config.zero_shot if f"heads.{head}" in carried.new):
        begin_as_zero_shot(system.predictor(), head, _class_texts(system, head), samples)
        notes.append(f"heads.{head} begins as the zero-shot classifier.")
        known = (*known, f"heads.{head}")
    system.model.train()
    return replace(system, notes=(*system.notes, *notes), carried=known)


def load_system(folder: Path, recipe: Recipe) -> System:
    """A trained model from its folder.

    Raises:
        CheckpointError: the folder is missing, incomplete or changed, or another version of Tuwen made it.
    """
    saved = read_model(folder)
    vocabulary = {name: tuple(words) for name, words in saved.vocabulary().items()}
    assert saved.tokenizer is not None
    tokenizer = Tokenizer.load(saved.tokenizer, recipe.tokenizer.max_length)
    plain = recipe.model.model_copy(update={"lora": {}})  # what adapters learned is part of the weights
    exact = recipe.model_copy(update={"image": saved.preprocessing(), "model": plain})
    system = _assemble(exact, tokenizer, vocabulary, pretrained=False)
    _give(system.model, saved)
    return system


def _give(model: VisionLanguageModel, saved: ModelFolder) -> None:
    """Put the weights of a folder into the model that its recipe describes.

    Raises:
        CheckpointError: the parts have other weights today.
    """
    there, here = saved.weights(), model.state_dict()
    names = sorted(there.keys() | here.keys())
    odd = next((name for name in names if shape_in(there, name) != shape_in(here, name)), None)
    if odd is not None:
        raise CheckpointError(
            f"{saved.folder}: another version of Tuwen made this model ({saved.manifest.version}, as it calls itself): "
            f"the weight {odd} is {shape_in(there, odd)} there and {shape_in(here, odd)} here. Use that version, or "
            f"train the model again: tuwen pretrain {saved.recipe} --out NEW"
        )
    model.load_state_dict(there)


def _class_texts(system: System, head: str) -> list[list[str]]:
    """For each language, a text for each label, in their order, as the task of a head has them."""
    for task in system.tasks.values():
        if isinstance(task, ClassifyTask) and task.config.head == head:
            return [[texts[label] for label in task.labels] for texts in task.class_texts.values()]
    raise RecipeError(f"start.zero_shot: no task classifies by the head {head!r} (by: head, head: {head}).")


def build_step(system: System) -> Step:
    """The model with its objectives."""
    return Step(system.model, build_objectives(system.recipe, system.tokenizer, system.counts))


def _assemble(
    recipe: Recipe,
    tokenizer: Tokenizer,
    vocabulary: Vocabulary,
    notes: tuple[str, ...] = (),
    counts: Mapping[str, tuple[int, ...]] | None = None,
    pretrained: bool = True,
) -> System:
    context = ModelContext(
        image_size=recipe.image.size,
        mean=recipe.image.mean,
        std=recipe.image.std,
        vocab_size=len(tokenizer),
        max_length=recipe.tokenizer.max_length,
        classes={name: len(words) for name, words in vocabulary.items()},
        pretrained=pretrained,
    )
    with torch.random.fork_rng(devices=[]):  # whoever loads a model may have random numbers of his own
        torch.default_generator.manual_seed(recipe.seed)
        model = VisionLanguageModel(recipe.model, context)
    return System(
        recipe,
        model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        tokenizer,
        ImagePrep(recipe.image),
        vocabulary,
        build_tasks(recipe, tokenizer, vocabulary),
        notes,
        counts or {},
    )
