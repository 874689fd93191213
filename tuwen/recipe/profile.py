"""Where the time of a training step goes, and what to do about the most of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn
from torch.profiler import ProfilerActivity, record_function
from torch.profiler import profile as recording

from tuwen.layers.attention import CrossAttention, SelfAttention
from tuwen.prep.loader import Loaded
from tuwen.recipe.build import build_step, build_system
from tuwen.recipe.schema import Recipe
from tuwen.recipe.sources import build_data
from tuwen.recipe.step import Step
from tuwen.train.learner import Learner
from tuwen.train.machine import choose_precision, data_workers
from tuwen.train.processes import Team

WARM, TIMED, RECORDED = 3, 10, 3
"""Steps that are not measured, that are timed, and that are recorded operation by operation (which slows them down)."""

MARK = "tuwen: "
WAITING, ATTENTION, LOSS, OPTIMISER, REST = "waiting for data", "attention", "loss and heads", "optimiser", "the rest"
TOWERS = {
    "image_tower": "image tower",
    "text_tower": "text tower",
    "fusion": "fusion",
    "prefix": "prefix",
    "language": "language model",
}
"""Parts of a model by the name of their attribute; attention within them is counted apart."""

WAYS = ("forward", "pooled", "project", "asked", "by_few", "ragged", "ends")
"""What a part is asked to work by: usually; for a picture or text as a whole; for a context's keys and values; for some
tokens, or queries; for texts without padding; for their last tokens."""

ADVICE = {
    WAITING: "Training waits for its data: give it more processes (train.workers), smaller pictures (image.size), "
    "or files that are quicker to read (JPEG in shards).",
    ATTENTION: "Attention takes the most: its cost grows with the square of the tokens, so read fewer of them "
    "(a larger patch, model.prefix.merge, shorter texts).",
    LOSS: "The loss and the heads take the most: a smaller vocabulary (tokenizer.vocab_size), or fewer objectives.",
    OPTIMISER: "The optimiser takes the most: take fewer, larger steps (train.batch_size, train.accumulate).",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """What was found.

    seconds: of a step, undisturbed. shares: of a step's time, by what it was spent on, largest first; they add up to 1.
    samples_per_second: read in training.
    """

    seconds: float
    shares: dict[str, float]
    samples_per_second: float

    @property
    def waiting(self) -> float:
        """The share of the time in which training waits for data, as the progress bar shows it."""
        return self.shares[WAITING]

    @property
    def words(self) -> str:
        """The bottleneck, and what to do about it."""
        most = next(iter(self.shares))
        return ADVICE.get(most, f"The {most} takes the most, at work and not waiting: a smaller one would be faster.")


def profile(recipe: Recipe, trace: Path) -> Profile:
    """Run a few steps of a recipe's training, and leave a trace (for chrome://tracing or ui.perfetto.dev).

    Raises:
        RecipeError, DataError, TrainingError: as training would.
    """
    accelerator = Accelerator()
    data = build_data(recipe)
    system = build_system(recipe, data)
    step = build_step(system)
    precision = choose_precision(recipe.train.precision, accelerator.device, lambda text: None)
    learner = Learner(step, system.recipe.train, Team(accelerator), precision)
    workers = data_workers(recipe.train.workers, accelerator.device)
    batches = system.loader(data.train, workers).iterate()
    try:
        for _ in range(WARM):
            _train(learner, _take(batches, recipe))
        seconds, waited = _time(learner, batches, recipe)
        with _marked(step), recording(activities=_activities(accelerator.device)) as record:
            for _ in range(RECORDED):
                _train(learner, _take(batches, recipe))
    finally:
        batches.close()
    record.export_chrome_trace(str(trace))
    waiting = waited / seconds
    shares = {name: share * (1 - waiting) for name, share in shares_of(record.events() or []).items()}
    ordered = dict(sorted({**shares, WAITING: waiting}.items(), key=lambda item: -item[1]))
    samples = system.recipe.train.batch_size * recipe.train.accumulate
    return Profile(seconds / TIMED, ordered, samples * TIMED / seconds)


def _take(batches: Iterator[Loaded], recipe: Recipe) -> list[Loaded]:
    return [next(batches) for _ in range(recipe.train.accumulate)]


def _train(learner: Learner, loaded: Sequence[Loaded]) -> None:
    batches = [each.batch for each in loaded]
    counts = [learner.counts(batch) for batch in batches]
    totals = {name: sum(count[name] for count in counts) for name in learner.weights}
    learner.gradients(batches, totals)
    with record_function(MARK + OPTIMISER):
        norm = learner.update(1e-6, 0)
    norm.item()  # wait for the device


def _time(learner: Learner, batches: Iterator[Loaded], recipe: Recipe) -> tuple[float, float]:
    """Seconds of all timed steps, and of waiting in them."""
    began, waited = time.monotonic(), 0.0
    for _ in range(TIMED):
        asked = time.monotonic()
        loaded = _take(batches, recipe)
        waited += time.monotonic() - asked
        _train(learner, loaded)
    return time.monotonic() - began, waited


def _activities(device: torch.device) -> list[ProfilerActivity]:
    return [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])


@contextmanager
def _marked(step: Step) -> Iterator[None]:
    """Note in the record which part of the model each operation belongs to."""
    parts: list[tuple[nn.Module, str]] = [(step, LOSS)]
    parts += [(part, label) for name, label in TOWERS.items() if (part := getattr(step.model, name)) is not None]
    parts += [(part, ATTENTION) for part in step.model.modules() if isinstance(part, SelfAttention | CrossAttention)]
    with ExitStack() as marks:
        for part, label in parts:
            for way in WAYS:
                if (call := getattr(part, way, None)) is not None:
                    setattr(part, way, _within(label, call))
                    marks.callback(delattr, part, way)  # then the class's own is seen again
        yield


def _within(label: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def marked(*given: Any, **named: Any) -> Any:
        with record_function(MARK + label):
            return call(*given, **named)

    return marked


def shares_of(events: Sequence[Any]) -> dict[str, float]:
    """The share of each part in the time of all operations of a record.

    An operation of the backward pass belongs to the part whose forward operation has the same number.
    """
    forward: dict[tuple[int, int], str] = {}
    for event in events:
        if event.sequence_nr >= 0 and (label := _label(event)):
            forward.setdefault((event.thread, event.sequence_nr), label)
    spent: dict[str, float] = defaultdict(float)
    for event in events:
        if not event.name.startswith(MARK):
            spent[_label(event) or _backward_label(event, forward) or REST] += _microseconds(event)
    total = sum(spent.values()) or 1.0
    return {name: value / total for name, value in spent.items()}


def _label(event: Any) -> str | None:
    """The innermost part that an operation ran in."""
    while event is not None:
        if event.name.startswith(MARK):
            return str(event.name.removeprefix(MARK))
        event = event.cpu_parent
    return None


def _backward_label(event: Any, forward: dict[tuple[int, int], str]) -> str | None:
    while event is not None:
        if (found := forward.get((event.fwd_thread, event.sequence_nr))) is not None:
            return found
        event = event.cpu_parent
    return None


def _microseconds(event: Any) -> float:
    """Its own, without what it calls; on the accelerator where it ran there."""
    return float(event.self_device_time_total or event.self_cpu_time_total)
