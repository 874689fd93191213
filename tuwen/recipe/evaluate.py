"""What a trained model can do: its tasks on samples it has not seen, as `metrics.json` and a page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuwen.core.errors import SampleError
from tuwen.core.sample import Sample, Source, Stream
from tuwen.recipe.build import System
from tuwen.recipe.sources import some, sound
from tuwen.recipe.usable import usable
from tuwen.report.examples import Examples
from tuwen.report.machine import describe_machine

TRAINING_SAMPLES = 2000
"""So many training samples decide what can be answered without a picture."""

HELD_OUT = "held_out"


def evaluate(
    system: System,
    splits: Mapping[str, Source | Stream],
    *,
    bf16: bool = False,
    say: Callable[[str], None] = lambda text: None,
    skip: Callable[[Sequence[SampleError]], None] = lambda broken: None,
) -> tuple[dict[str, Any], Examples]:
    """Measure every task of the recipe on every split that is asked for.

    Args:
        system: the model with its tasks.
        splits: `train`, what it was trained on, and others, which it has not seen.
        bf16: compute under bf16 autocast.
        say: hears what was done.
        skip: is given the samples of each split that cannot be used, and are left out.

    Returns:
        `{"tasks": {task: figures}, "held_out": {task: figures}, "splits": {...}}`, and examples for the page. `tasks`
        is measured on the first of `test` and `validation` that the data has.
    """
    predictor = system.predictor(bf16)
    training = list(sound(some(splits["train"], TRAINING_SAMPLES)))
    examples = Examples()
    metrics: dict[str, Any] = {}
    measured = places(splits, system.recipe.evaluate.splits)
    if not measured:
        say("nothing is measured: the data has no split beside train that is asked for; data.validation can name one")
    for place, name in measured.items():
        began = time.monotonic()
        samples, broken = usable(some(splits[name], system.recipe.evaluate.samples), system.images)
        skip(broken)
        metrics[place] = _measure(system, predictor, samples, training, examples, place)
        for note in examples.split(place).notes:
            say(note)
        left_out = f", without {len(broken)} that cannot be used" if broken else ""
        say(f"evaluated {len(samples)} samples of {name} in {time.monotonic() - began:.0f} s{left_out}")
    return metrics, examples


def places(splits: Mapping[str, Source | Stream], wanted: Sequence[str] | None) -> dict[str, str]:
    """Under which key of `metrics.json` which split stands."""
    names = [name for name in splits if name != "train" and (wanted is None or name in wanted)]
    unseen = [name for name in ("test", "validation") if name in names]
    found = {"tasks": unseen[0]} if unseen else {}
    return found | ({HELD_OUT: HELD_OUT} if HELD_OUT in names else {})


def _measure(
    system: System,
    predictor: Any,
    samples: list[Sample],
    training: list[Sample],
    examples: Examples,
    place: str,
) -> dict[str, dict[str, float]]:
    page = examples.split(place)
    figures = {name: task.evaluate(predictor, samples, training, page) for name, task in system.tasks.items()}
    return {name: found for name, found in figures.items() if found}


def write_metrics(file: Path, metrics: Mapping[str, Any]) -> None:
    """Write figures as JSON (a run's are its `metrics.json`), with a description of the machine."""
    part = file.with_suffix(".part")
    content = {**metrics, "machine": describe_machine()}
    part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(file)
