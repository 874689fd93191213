"""A whole run: data, model, training, evaluation, and the page that shows it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from tuwen.core.errors import CheckpointError
from tuwen.recipe.build import System, build_step, build_system, load_system
from tuwen.recipe.evaluate import evaluate, write_metrics
from tuwen.recipe.guard import INTERPOLATED, Guard
from tuwen.recipe.library import RUN_RECIPE
from tuwen.recipe.model_folder import MANIFEST, read_model
from tuwen.recipe.resolve import Resolved
from tuwen.recipe.schema import Recipe, load_recipe
from tuwen.recipe.sources import Data, build_data
from tuwen.report.forgetting import Forgetting
from tuwen.report.log import read_log
from tuwen.report.page import METRICS, read_metrics, write_report
from tuwen.train.checkpoints import Checkpoints, write_whole
from tuwen.train.events import Listener, Listeners, Result
from tuwen.train.lines import SkippedList
from tuwen.train.loop import fit
from tuwen.train.machine import choose_device, choose_precision, data_workers

KEPT = ("train_seconds", "pairs_per_second", "parameters", "asked", "forgetting")
"""What `metrics.json` says of the training; evaluating again keeps it."""


class _Noted(Listener):
    """Writes down what a run is made by as soon as it goes on: how long it is to be may have changed since it began."""

    def __init__(self, run: Path, yaml: str) -> None:
        self.file, self.yaml = run / RUN_RECIPE, yaml

    def on_begin(self, step: int, total: int) -> None:
        write_whole(self.file, self.yaml)


@dataclass(frozen=True)
class Finished:
    """A run that ended. `report` is None where the run was interrupted, and can be resumed.

    forgetting: what the guard found, where the recipe has one.
    """

    system: System
    data: Data
    result: Result
    metrics: dict[str, Any]
    report: Path | None
    forgetting: Forgetting | None = None


def pretrain(
    resolved: Resolved[Recipe],
    run: Path,
    *,
    resume: bool = False,
    listeners: Iterable[Listener] = (),
    asked: Mapping[str, Any] | None = None,
) -> Finished:
    """Train a recipe's model from scratch, save it, measure it and write its page.

    Args:
        resolved: the recipe.
        run: folder of the run; it must be new, unless `resume`.
        resume: go on from the last checkpoint in `run`, if there is one.
        listeners: hear of the progress.
        asked: figures that were asked for, in the shape of `metrics.json`, for the page.

    Raises:
        RecipeError, DataError, TrainingError, CheckpointError.
    """
    began = time.monotonic()
    if not resume:
        refuse_to_overwrite(run)
    accelerator = Accelerator()
    say = Listeners(tuple(listeners) if accelerator.is_main_process else ())
    data = build_data(resolved.recipe)
    system = build_system(resolved.recipe, data, accelerator.num_processes)
    for note in (*data.notes, *system.notes):
        say.on_note(note)
    recipe = system.recipe
    yaml = replace(resolved, recipe=recipe).to_yaml(origins=False)
    if accelerator.is_main_process and not (resume and (run / RUN_RECIPE).exists()):
        run.mkdir(parents=True, exist_ok=True)
        write_whole(run / RUN_RECIPE, yaml)  # now, so that `tuwen pretrain RUN --resume` is all that going on needs
    guard = Guard(recipe.guard, system, run, say) if recipe.guard and accelerator.is_main_process else None
    workers = data_workers(recipe.train.workers, accelerator.device, accelerator.num_processes)
    loader = system.loader(data.train, workers, accelerator.process_index, accelerator.num_processes)
    result = fit(
        build_step(system),
        loader,
        recipe.train,
        run,
        resume=resume,
        listeners=[_Noted(run, yaml), *listeners, *([guard] if guard else [])],
        identity=identity(recipe),
        accelerator=accelerator,
        began=began,
    )
    if not accelerator.is_main_process or not result.finished:
        return Finished(system, data, result, {}, None)
    system.save(run, yaml)
    forgetting = guard.finish(data, result.step) if guard else None
    numbers = {
        "train_seconds": round(result.seconds, 1),
        "pairs_per_second": round(result.samples_per_second, 1),
        "parameters": sum(parameter.numel() for parameter in system.model.parameters()),
        **({"asked": asked} if asked else {}),
        **({"forgetting": forgetting.summary()} if forgetting else {}),
    }
    metrics = measure(system, data, run, numbers, say)
    if (run / INTERPOLATED).is_dir():
        measure_interpolated(run, data, metrics, accelerator.device)
    return Finished(system, data, result, metrics, write_report(run), forgetting)


def measure_interpolated(run: Path, data: Data, metrics: Mapping[str, Any], device: torch.device) -> None:
    """Measure the model between the pretrained and the fine-tuned one as the run's own was, and write its page."""
    folder = run / INTERPOLATED
    measure(load_run(folder, device), data, folder, {name: metrics[name] for name in KEPT if name in metrics})
    write_report(folder)


def identity(recipe: Recipe) -> dict[str, Any]:
    """What must be the same for a run to go on: every setting by its key, but for those of `train`, which knows itself
    what may change, and of what is only measured."""
    return dict(leaves(recipe.model_dump(mode="json", exclude={"train", "evaluate", "guard"})))


def leaves(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted key."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def refuse_to_overwrite(run: Path) -> None:
    """Find a folder that cannot become a new run before hours are spent.

    Raises:
        CheckpointError: it holds a run already, or cannot be a folder that is written to.
    """
    nearest = next(place for place in (run, *run.parents) if place.exists())
    if not nearest.is_dir():
        raise CheckpointError(f"{nearest} is a file: choose another folder for the run with --out.")
    if not os.access(nearest, os.W_OK):
        raise CheckpointError(f"{nearest} cannot be written to: choose another folder for the run with --out.")
    if (run / MANIFEST).exists() or Checkpoints(run / "checkpoints", 1, lambda text: None).all():
        raise CheckpointError(f"{run} holds a run already: go on with it by --resume, or choose another --out.")


def measure(
    system: System, data: Data, run: Path, numbers: Mapping[str, Any], say: Listener | None = None
) -> dict[str, Any]:
    """Evaluate a model, and write `metrics.json` and the page's examples into the run folder.

    Samples that cannot be used are added to those of the training in `skipped.jsonl`.
    """
    say = say or Listener()
    device = next(system.model.parameters()).device
    precision = choose_precision(system.recipe.train.precision, device, lambda text: None)
    skipped, step = SkippedList(run / "skipped.jsonl"), read_log(run).steps
    figures, examples = evaluate(
        system,
        data.splits,
        bf16=precision == "bf16",
        say=say.on_note,
        skip=lambda broken: skipped.add(step, tuple((error.key, error.reason) for error in broken)),
    )
    metrics = {**numbers, **figures}
    examples.save(run)
    write_metrics(run / METRICS, metrics)
    return metrics


def evaluate_run(run: Path, listener: Listener | None = None) -> dict[str, Any]:
    """Evaluate a finished run again, and write its page again."""
    system = load_run(run)
    data = build_data(system.recipe)
    before = read_metrics(run) if (run / METRICS).exists() else {}
    kept = {name: before[name] for name in KEPT if name in before}
    metrics = measure(system, data, run, kept, listener)
    write_report(run)
    return metrics


def load_run(run: Path, device: torch.device | str | None = None) -> System:
    """The trained model of a run folder, on a device: the accelerator that PyTorch finds, else the CPU, where None.

    Raises:
        CheckpointError: there is none, or it is incomplete or changed.
    """
    read_model(run)  # before the recipe, because an unfinished run has one too
    system = load_system(run, load_recipe(run).recipe)
    system.model.to(choose_device(device))
    return system
