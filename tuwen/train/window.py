"""The last few steps: are they finite, and how did they go?"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tuwen.core.errors import TrainingError
from tuwen.core.loss import Loss
from tuwen.train.processes import Team


@dataclass(slots=True)
class StepRecord:
    """One optimizer step, as it was.

    step: its number, from 1. keys: the samples of each batch.
    losses: each batch's, tensors until `Window.check` reads them.
    counts: items that this process announced. totals: items of all batches of all processes.
    seconds: the whole step. waited: the part of it spent waiting for data.
    """

    step: int
    keys: Sequence[tuple[str, ...]]
    losses: Sequence[Mapping[str, Loss]]
    norm: Tensor
    counts: Mapping[str, float]
    totals: Mapping[str, float]
    seconds: float
    waited: float
    values: list[dict[str, float]] = field(default_factory=list)


class Window:
    """The steps since the last report. Reading a loss makes the host wait for the device, so it is done for many at
    once: for every step on a CPU, where it costs nothing, else when a report or a checkpoint is due."""

    def __init__(self, team: Team, weights: Mapping[str, float]) -> None:
        self.team, self.weights = team, weights
        self.unread: list[StepRecord] = []
        self.records: list[StepRecord] = []
        self.norm = 0.0

    def add(self, record: StepRecord) -> None:
        """Take note of a step."""
        self.unread.append(record)

    def check(self, kept: Callable[[], str]) -> None:
        """Read what was added.

        Args:
            kept: says which checkpoint there is to go back to.

        Raises:
            TrainingError: a loss or gradient is not finite: says in which step and objective, and for which samples.
        """
        unread, self.unread = self.unread, []
        numbers = iter(_read([tensor for record in unread for tensor in _tensors(record)]))
        for record in unread:
            self.norm = next(numbers)
            counted: dict[str, float] = defaultdict(float)
            for keys, losses in zip(record.keys, record.losses, strict=True):
                values: dict[str, float] = {}
                for name, loss in losses.items():
                    values[name] = next(numbers)
                    counted[name] += next(numbers)
                    values |= {f"{name}/{part}": next(numbers) for part in loss.parts}
                    if not math.isfinite(values[name]):
                        raise TrainingError(_not_finite(record.step, f"the loss {name}", values[name], keys, kept()))
                record.values.append(values)
            if not math.isfinite(self.norm):
                keys = tuple(key for batch in record.keys for key in batch)
                raise TrainingError(_not_finite(record.step, "the length of the gradient", self.norm, keys, kept()))
            _compare(record, counted)
            record.losses = ()
        self.records += unread

    def averages(self) -> tuple[dict[str, float], dict[str, float]]:
        """Each objective's loss an item, over the items of all processes in the steps since `clear`, and the means of
        its parts in this process's batches.
        """
        names = sorted(self.weights)
        sums = dict.fromkeys(names, 0.0)
        parts: dict[str, list[float]] = defaultdict(list)
        for record in self.records:
            for values in record.values:
                for name, value in values.items():
                    if name in sums:
                        sums[name] += value
                    else:
                        parts[name].append(value)
        items = {name: sum(record.totals[name] for record in self.records) for name in names}
        together = dict(zip(names, self.team.add([sums[name] for name in names]), strict=True))
        losses = {name: together[name] / items[name] for name in names if items[name]}
        return losses, {name: sum(values) / len(values) for name, values in parts.items()}

    @property
    def seconds(self) -> float:
        """The time that the steps took."""
        return sum(record.seconds for record in self.records)

    @property
    def waiting(self) -> float:
        """The share of the time in which training waited for data."""
        return sum(record.waited for record in self.records) / self.seconds

    def clear(self) -> None:
        """Begin anew after a report."""
        self.records = []


def _tensors(record: StepRecord) -> list[Tensor]:
    """In the order in which `check` reads them."""
    losses = [loss for batch in record.losses for loss in batch.values()]
    return [record.norm, *(tensor for loss in losses for tensor in (loss.sum, loss.count, *loss.parts.values()))]


def _read(tensors: Sequence[Tensor]) -> list[float]:
    if not tensors:
        return []
    device = tensors[0].device
    return torch.stack([tensor.detach().to(device, torch.float32) for tensor in tensors]).tolist()


def _compare(record: StepRecord, counted: Mapping[str, float]) -> None:
    """The gradient was scaled by the announced counts: they must have been right."""
    for name, count in counted.items():
        if not math.isclose(count, record.counts[name], rel_tol=1e-6):
            raise TrainingError(
                f"step {record.step}: the objective {name} announced {record.counts[name]:g} items and summed the loss "
                f"of {count:g}: its count(batch) and its loss disagree."
            )


def _not_finite(step: int, what: str, value: float, keys: Sequence[str], kept: str) -> str:
    shown = ", ".join(keys[:16]) + (f" and {len(keys) - 16} more" if len(keys) > 16 else "")
    return (
        f"step {step}: {what} is {value}, so training stopped. The batch is {shown}. {kept} "
        "Look at these samples; if they are sound, lower train.learning_rate, lengthen train.warmup, "
        "or set train.precision=fp32."
    )
