"""`mixture`: several data sets as one, in any proportion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from tuwen.core.errors import DataError
from tuwen.core.rooms import PartConfig, build_part
from tuwen.core.sample import Source, Splits, Stream
from tuwen.data import DataContext, NotedSplits, classes_of
from tuwen.data._mixing import ChainedStream, MixedSource, MixedStream, whole_weights


class Config(PartConfig):
    """Which data sets, and how much of each.

    parts: data sets by a name of the user's choice, each with its `kind`: `{photos: {kind: folder, path: photos}}`.
    weights: of each part's samples in training: `proportional` to its size, `even`, or numbers by name: `{photos: 3}`.
    temperature: with proportional weights, a part of n samples weighs n^(1/temperature) (Raffel et al. 2020, "Exploring
        the Limits of Transfer Learning", section 3.5.2): 1 is proportional, and the higher, the more even.
    """

    parts: dict[str, dict[str, Any]] = Field(min_length=1)
    weights: Literal["proportional", "even"] | dict[str, float] = "proportional"
    temperature: float = Field(1.0, ge=1)

    @model_validator(mode="after")
    def _weights_fit(self) -> Self:
        if isinstance(self.weights, dict):
            if self.weights.keys() != self.parts.keys():
                raise ValueError(f"weights need a number for each of {', '.join(self.parts)}")
            if min(self.weights.values()) <= 0:
                raise ValueError("weights must be above 0; leave a part out that is not wanted")
        if self.temperature != 1 and self.weights != "proportional":
            raise ValueError("temperature only acts on proportional weights")
        return self


def build(config: Config, context: DataContext | None = None) -> NotedSplits:
    """The splits of all parts: `train` mixed as asked, and the others with each sample once.

    In training an epoch shows every sample of every part; small parts repeat meanwhile. Where a part is a stream, so is
    the mixture.

    Raises:
        DataError: a part cannot be used, or is empty, or its size is needed and not known.
    """
    context = context or DataContext()
    built: dict[str, Splits] = {
        name: build_part("data", spec, context, f"data.parts.{name}") for name, spec in config.parts.items()
    }
    names = dict.fromkeys(split for splits in built.values() for split in splits)
    mixed = {
        split: _mix(config, split, {name: splits[split] for name, splits in built.items() if split in splits}, context)
        for split in names
    }
    notes = [f"{name}: {note}" for name, splits in built.items() for note in getattr(splits, "notes", ())]
    return NotedSplits(mixed, notes, *classes_of(list(built.values())))


def _mix(config: Config, split: str, members: Mapping[str, Source | Stream], context: DataContext) -> Source | Stream:
    sources = {name: member for name, member in members.items() if isinstance(member, Source)}
    for name, source in sources.items():
        if len(source) == 0:
            raise DataError(f"data.parts.{name}: its split {split!r} is empty.")
    sizes = {name: len(source) for name, source in sources.items()}
    if len(sources) == len(members):
        exact = split != "train" or (config.weights == "proportional" and config.temperature == 1)
        return MixedSource(sources, list(sizes.values()) if exact else _weights(config, sizes))
    if split != "train":
        return ChainedStream(members)
    if config.weights == "proportional":
        streams = ", ".join(name for name in members if name not in sources)
        raise DataError(f"data.weights: the size of {streams} is not known, so give a weight to each part, or `even`.")
    return MixedStream(members, _weights(config, dict.fromkeys(members, 1)), context.seed)


def _weights(config: Config, sizes: Mapping[str, int]) -> list[int]:
    if isinstance(config.weights, dict):
        shares = {name: config.weights[name] for name in sizes}
    elif config.weights == "even":
        shares = dict.fromkeys(sizes, 1.0)
    else:
        shares = {name: size ** (1 / config.temperature) for name, size in sizes.items()}
    return whole_weights(list(shares.values()))
