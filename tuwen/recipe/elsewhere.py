"""A trained model, measured on data that it was not made with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuwen.core.errors import DataError, SampleError
from tuwen.core.rooms import build_part
from tuwen.core.sample import Source, Stream
from tuwen.data import DataContext, whole
from tuwen.recipe.build import System
from tuwen.recipe.evaluate import evaluate
from tuwen.recipe.run import load_run
from tuwen.recipe.schema import Recipe
from tuwen.recipe.sources import build_data, some, sound
from tuwen.recipe.usable import reasons
from tuwen.train.events import Listener
from tuwen.train.machine import choose_precision

UNSEEN = ("test", "validation", "held_out", "train")
"""The splits of new data in the order in which they are preferred. `train` is all of it, where it has no splits."""


def evaluate_elsewhere(run: Path, recipe: Recipe, listener: Listener | None = None) -> dict[str, Any]:
    """Measure a trained model on other data: on its test split, or on all of it. The run's folder stays as it is.

    What it was trained on is opened too, where it is still there: that tells what can be answered without a picture.

    Args:
        run: folder of the trained model.
        recipe: the run's own, with the other data in it.
        listener: hears what was found and left out.

    Returns:
        Figures in the shape of `metrics.json`.

    Raises:
        CheckpointError: there is no trained model in the folder.
        DataError: the other data cannot be opened, or has nothing that the model could be measured on.
    """
    say = listener or Listener()
    trained = load_run(run)
    there = build_part("data", whole(recipe.data), DataContext(recipe.seed), "data")
    for note in getattr(there, "notes", ()):
        say.on_note(note)
    split = next((name for name in UNSEEN if name in there), None)
    if split is None:
        raise DataError(f"data: it has no split that could be measured on, only {', '.join(there) or 'none'}.")
    on_any = recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update={"splits": None})})
    system, training = replace(trained, recipe=on_any), _training(trained.recipe, say)
    _note_unknown_labels(system, there[split], say)
    device = next(system.model.parameters()).device
    figures, _ = evaluate(
        system,
        {"train": training, "test": there[split]},
        bf16=choose_precision(recipe.train.precision, device, lambda text: None) == "bf16",
        say=say.on_note,
        skip=lambda broken: _note_broken(broken, say),
    )
    if not any(figures.values()):
        raise DataError(
            f"data: it has nothing to measure the tasks of {run} by ({', '.join(system.tasks)}); what was found in it "
            "stands above."
        )
    return figures


def _training(recipe: Recipe, say: Listener) -> Source | Stream:
    """What the model was trained on; nothing, and a note, where that has gone."""
    try:
        return build_data(recipe).train
    except DataError as error:
        say.on_note(f"what needs the training data is not measured (floors from it, examples out of it): {error}")
        return []


def _note_unknown_labels(system: System, source: Source | Stream, say: Listener) -> None:
    """A label that is spelled in another way than in training is never given, and looks like an error of the model."""
    known = set(system.vocabulary["labels"])
    samples = sound(some(source, system.recipe.evaluate.samples))
    labels = {str(sample.label) for sample in samples if sample.label is not None}
    if known and (unknown := sorted(labels - known)):
        say.on_note(
            f"{len(unknown)} of {len(labels)} labels are none that the model knows, and count as missed: "
            f"{_few(unknown)}; it knows {_few(sorted(known))}"
        )


def _few(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _note_broken(broken: Sequence[SampleError], say: Listener) -> None:
    if broken:
        say.on_note(f"{len(broken)} samples cannot be used, and are left out:{reasons(broken)}")
