"""`class_balanced`: the classes of a data set are seen in other proportions than they occur in, rare ones more often.

How often a class is seen goes with `n^(1/temperature)`, n being its number of samples, or all are seen alike (Kang et
al. 2020, "Decoupling representation and classifier for long-tailed recognition", arXiv:1910.09217, eq. 1). Samples of
rare classes come again meanwhile, so use it with augmentation. Only training changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from tuwen.core.errors import DataError, SampleError
from tuwen.core.rooms import PartConfig, build_part
from tuwen.core.sample import Sample, Source
from tuwen.data import DataContext, NotedSplits
from tuwen.data._mixing import MixedSource, whole_weights

EXAMPLE = {"data": {"kind": "scenes"}}
"""Settings to try the part with: `data` has no default."""

FEW = 3
"""So many samples that cannot be read are named."""


class Config(PartConfig):
    """data: a data set with labels, with its `kind`.

    weights: of the classes in training: all `even`, or `proportional` to their size, which is as they occur.
    temperature: with proportional weights, a class of n samples weighs n^(1/temperature): the higher, the more even.
    """

    data: dict[str, Any]
    weights: Literal["even", "proportional"] = "even"
    temperature: float = Field(1.0, ge=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.temperature != 1 and self.weights == "even":
            raise ValueError("temperature only acts on proportional weights")
        return self


class OfClass:
    """The samples of a source that are of one class."""

    def __init__(self, source: Source, numbers: list[int]) -> None:
        self._source, self._numbers = source, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Sample:
        return self._source[self._numbers[index]]


def build(config: Config, context: DataContext | None = None) -> NotedSplits:
    """`train` with its classes as asked, and the other splits as they are. Every label is read once, at the start.

    Raises:
        DataError: the data is a stream, is mostly broken, or has fewer than two classes.
    """
    whole = build_part("data", config.data, context or DataContext(), "data.data")
    train = whole["train"]
    if not isinstance(train, Source):
        raise DataError(
            "data.data: it is a stream, whose classes cannot be counted beforehand: weigh the loss instead."
        )
    classes, broken = _numbers_by_class(train)
    if len(broken) * 2 > len(train):
        raise DataError(
            f"data.data: {len(broken):,} of {len(train):,} training samples cannot be read:{_listed(broken)}"
        )
    labels = [label for label in classes if label is not None]
    if len(labels) < 2:
        raise DataError(f"data.data: there is nothing to balance: its training samples have {len(labels)} classes.")
    exponent = 0.0 if config.weights == "even" else 1 / config.temperature
    weights = whole_weights([len(numbers) ** exponent for numbers in classes.values()])
    sizes = sorted(len(classes[label]) for label in labels)
    notes = [f"Classes have {sizes[0]:,} to {sizes[-1]:,} training samples; {_said(config)}."]
    if broken:
        notes.append(f"{len(broken):,} training samples cannot be read, and are left out:{_listed(broken)}")
    sources = {_name(label, labels): OfClass(train, found) for label, found in classes.items()}
    return NotedSplits(
        {**whole, "train": MixedSource(sources, weights)},
        (*getattr(whole, "notes", ()), *notes),
        getattr(whole, "labels", ()),
        getattr(whole, "class_texts", {}),
    )


def _numbers_by_class(source: Source) -> tuple[dict[str | None, list[int]], list[SampleError]]:
    """The samples of each class, the classes in alphabetical order, and the samples that cannot be read.

    Those without a label come last, under None; they are seen as if they were a class. A class of broken samples would
    be seen as often as any other, so there is none.
    """
    found: dict[str | None, list[int]] = defaultdict(list)
    broken: list[SampleError] = []
    for number in range(len(source)):
        try:
            found[source[number].label].append(number)
        except SampleError as error:
            broken.append(error)
    return {label: found[label] for label in sorted(found, key=lambda label: (label is None, label or ""))}, broken


def _name(label: str | None, labels: Collection[str]) -> str:
    """What stands before the keys of a class's samples; those without a label have a name that no class has."""
    if label is not None:
        return label
    name = "no label"
    while name in labels:
        name = f"({name})"
    return name


def _listed(broken: Sequence[SampleError]) -> str:
    more = f"\n  and {len(broken) - FEW:,} more" if len(broken) > FEW else ""
    return "".join(f"\n  {error}" for error in broken[:FEW]) + more


def _said(config: Config) -> str:
    if config.weights == "even":
        return "each is seen as often as any other"
    return f"one of n samples is seen as often as n^(1/{config.temperature:g}) says"
