"""What a recipe and its training data come to, before any weight is made: tokenizer, vocabularies, tasks, batches."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuwen.core.batch import Batch
from tuwen.core.errors import DataError
from tuwen.core.rooms import build_part
from tuwen.objectives import Objective, ObjectiveContext
from tuwen.prep.images import ImagePrep
from tuwen.prep.pretrained_tokens import pretrained_tokenizer
from tuwen.prep.tokens import Tokenizer
from tuwen.recipe.encoding import Encoder
from tuwen.recipe.fitting import Fit
from tuwen.recipe.mixing import task_weights
from tuwen.recipe.pretrained import settle
from tuwen.recipe.schema import Recipe
from tuwen.recipe.sources import Data
from tuwen.recipe.start import Start
from tuwen.recipe.survey import Survey, survey
from tuwen.recipe.unseen import refuse_unseen_labels
from tuwen.recipe.usable import fill_batches, reasons
from tuwen.tasks import Task, TaskContext

Vocabulary = Mapping[str, tuple[str, ...]]
"""The classes of heads, by name: `labels`, `answers`, `tags`, and a text for each label as `text:LANGUAGE`; and the
`languages` of the captions."""

LOOKED_AT = 1000
"""Texts, at most, whose tokens are counted."""


@dataclass(frozen=True)
class Prepared:
    """A recipe that fits its data, and all that does not learn by gradients.

    recipe: without what was left out. found: what the training data has. start: the trained model to start from.
    trained_by: for each task, the objectives that find a loss in its rows; none where it only evaluates.
    counts: how often each class of a vocabulary occurs in training, in the order of the vocabulary.
    mix: the weights of the tasks, where a sample is learned for one at a time.
    preview: a batch of samples of each makeup, with blank pictures.
    left_out: the keys of tasks and objectives. notes: what was left out or changed, in sentences.
    """

    recipe: Recipe
    found: Survey
    start: Start | None
    tokenizer: Tokenizer
    vocabulary: Vocabulary
    counts: Mapping[str, tuple[int, ...]]
    mix: Mapping[str, float]
    encoder: Encoder
    trained_by: Mapping[str, tuple[str, ...]]
    preview: Batch
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def prepare(recipe: Recipe, data: Data, world: int = 1) -> Prepared:
    """Look at the training data, learn the tokenizer from it, and make the recipe fit.

    The tokenizer of a trained model that the recipe starts from is kept as it is, and so is that of a checkpoint.

    Args:
        recipe: as it was resolved.
        data: its data.
        world: processes that will train together.

    Raises:
        DataError: no sample can be used, too few, or one of another split has a label that a head never learns.
        RecipeError: a task or an objective that is not optional would find no position with a loss.
        CheckpointError: there is no model to start from, or a checkpoint cannot be read.
    """
    start = None if recipe.start is None else Start(recipe.start, recipe)
    recipe = settle(recipe) if start is None else recipe
    images = ImagePrep(recipe.image)
    recipe, notes = fill_batches(recipe, data.train, images, world)
    found = survey(data.train, recipe.tokenizer.sample)
    if not found.samples:
        raise DataError(f"data: none of the training samples can be read.{reasons(found.broken)}")
    tokenizer = _tokenizer(recipe, found, start)
    vocabulary, said = _vocabulary(found, data)
    vocabulary = {**vocabulary, "languages": _languages(found, start)}
    notes += said + _unmet(recipe, found, data)
    tasks = build_tasks(recipe, tokenizer, vocabulary)
    counts = {name: tuple(often[word] for word in vocabulary[name]) for name, often in found.counts.items()}
    alone = 2 * recipe.tokenizer.max_length  # no model says yet how long a picture is: each has a text of its own
    encoder = Encoder(tasks, images, tokenizer.pad, picture=alone)
    fit = Fit(recipe, encoder, build_objectives(recipe, tokenizer, counts), found)
    refuse_unseen_labels(recipe, data, found, fit.encoder.tasks)
    preview = fit.batch(*fit.encoder.tasks)
    notes += fit.notes + (_over_long(tokenizer, found) if preview.texts else ())
    learned = {name: fit.encoder.tasks[name] for name, objectives in fit.trained_by.items() if objectives}
    return Prepared(
        recipe=fit.recipe(vocabulary),
        found=found,
        start=start,
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        counts=counts,
        mix=task_weights(recipe.mix, learned, found),
        encoder=fit.encoder,
        trained_by=fit.trained_by,
        preview=preview,
        left_out=fit.left_out,
        notes=notes,
    )


def build_tasks(recipe: Recipe, tokenizer: Tokenizer, vocabulary: Vocabulary) -> dict[str, Task]:
    """The recipe's tasks."""
    labels = vocabulary["labels"]
    class_texts = {
        name.removeprefix("text:"): dict(zip(labels, texts, strict=True))
        for name, texts in vocabulary.items()
        if name.startswith("text:")
    }
    context = TaskContext(tokenizer, labels, vocabulary["answers"], class_texts, vocabulary.get("tags", ()))
    return {name: build_part("tasks", spec, context, f"tasks.{name}") for name, spec in recipe.tasks.items()}


def build_objectives(
    recipe: Recipe, tokenizer: Tokenizer, counts: Mapping[str, tuple[int, ...]]
) -> dict[str, Objective[Any]]:
    """The recipe's objectives. counts: of the classes of each vocabulary in training; `{}` where nobody counted."""
    context = ObjectiveContext(len(tokenizer), tokenizer.mask, tokenizer.marks.special, counts)
    specs = recipe.objectives.items()
    return {name: build_part("objectives", spec, context, f"objectives.{name}") for name, spec in specs}


def _tokenizer(recipe: Recipe, found: Survey, start: Start | None) -> Tokenizer:
    if start is not None:
        return start.tokenizer(recipe.tokenizer.max_length)
    if recipe.tokenizer.name is not None:
        return pretrained_tokenizer(recipe.tokenizer.name, recipe.tokenizer.revision, recipe.tokenizer.max_length)
    return Tokenizer.train(found.texts or found.labels or found.tags, recipe.tokenizer)


def _languages(found: Survey, start: Start | None) -> tuple[str, ...]:
    """Of the captions; where there are none, those of the trained model, which can say what it could."""
    if found.languages or start is None:
        return found.languages
    return tuple(start.saved.vocabulary().get("languages", ()))


def _unmet(recipe: Recipe, found: Survey, data: Data) -> tuple[str, ...]:
    """A sentence where the samples that were not looked at probably have further classes.

    Their share is about that of the classes met once (Good 1953, "The population frequencies of species", eq. 9).
    """
    asked = {head.classes for head in recipe.model.heads.values()} - ({"labels"} if data.labels else set())
    once = {name: sum(often == 1 for often in found.counts[name].values()) for name in found.counts if name in asked}
    seldom = ", ".join(f"{number} of {len(found.counts[name])} {name}" for name, number in once.items() if number)
    if found.whole or not seldom:
        return ()
    return (
        f"Of the training data {found.samples} samples were looked at, and {seldom} met once only: the others probably "
        "have more, which no head learns. Look at more of them with --set tokenizer.sample=NUMBER.",
    )


def _over_long(tokenizer: Tokenizer, found: Survey) -> tuple[str, ...]:
    """A sentence where more than one text in a hundred is cut; `data check` lists them."""
    looked_at = random.Random(0).sample(found.texts, min(len(found.texts), LOOKED_AT))
    cut = sum(len(tokenizer.encode(text)) > tokenizer.room for text in looked_at)
    if 100 * cut <= len(looked_at):
        return ()
    return (
        f"{cut:,} of {len(looked_at):,} texts that were looked at are cut to {tokenizer.max_length} tokens: a higher "
        "tokenizer.max_length keeps more of them.",
    )


def _vocabulary(found: Survey, data: Data) -> tuple[Vocabulary, tuple[str, ...]]:
    """The classes that the data names and those that were met besides, and a sentence where these have no text.

    Part of a mixture may name its labels, another (tars) not; a label that no vocabulary has would never be learned.
    """
    labels = tuple(dict.fromkeys((*data.labels, *found.labels)))
    bare = sorted({label for words in data.class_texts.values() for label in labels if label not in words})
    kept = {} if bare else data.class_texts
    texts = {f"text:{language}": tuple(words[label] for label in labels) for language, words in kept.items()}
    vocabulary = {"labels": labels, "answers": found.answers, "tags": found.tags, **texts}
    if not bare:
        return vocabulary, ()
    named = ", ".join(bare[:8]) + (", ..." if len(bare) > 8 else "")
    return vocabulary, (f"The data has texts for some labels, and none for {named}: all are described by the task.",)
