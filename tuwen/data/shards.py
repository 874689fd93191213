"""`shards`: WebDataset tars, read as a stream, from disk or over the network.

Files of one name and different endings are one sample: a picture, and its texts in `.txt`, `.json` or `.cls` (a class).
Whatever else is in a tar is passed over, and nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np
from pydantic import Field

from tuwen.core.errors import DataError, SampleError
from tuwen.core.sample import Sample
from tuwen.data import SPLITS, DataContext, NotedSplits
from tuwen.data._choosing import Chooser
from tuwen.data._columns import Columns, ColumnsConfig
from tuwen.data._pictures import SUFFIXES, has_picture_suffix
from tuwen.data._samples import SampleReader
from tuwen.data._tables.records import flat, to_table
from tuwen.data._tables.rows import Rows
from tuwen.data._tars import Group, expand, read_groups

_TEXTS = frozenset({"txt", "text", "caption", "cls"})
_WANTED = _TEXTS | {"json"} | {suffix.removeprefix(".") for suffix in SUFFIXES}
_LOOKED_AT = 50
_MOST_BROKEN = 200

_IMAGE = "image"

Outcome = Sample | SampleError


class Config(ColumnsConfig):
    """Which tars, and what is in them.

    train, validation, test, held_out: the tars of each split: paths, globs, folders or addresses; `{000..127}` counts.
    shuffle: samples kept at hand in training, of which a random one comes next; they take the memory of their files.

    What `caption_columns` and the like may name are the endings (`txt`, `cls`) and the keys in JSON files (`caption`).
    """

    train: tuple[str, ...] = Field(min_length=1)
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    shuffle: int = Field(1000, ge=0)


def build(config: Config, context: DataContext | None = None) -> NotedSplits:
    """A stream for each split that has tars. The first samples are read, to find out what is in them.

    Raises:
        DataError: there is no such tar, none can be read, or nothing in them says anything about a picture.
    """
    seed = (context or DataContext()).seed
    tars = {split: expand(patterns) for split in SPLITS if (patterns := getattr(config, split))}
    columns, notes = _choose(config, tars["train"])
    streams = {
        split: ShardStream(tuple(names), columns, config, seed, config.shuffle if split == "train" else 0)
        for split, names in tars.items()
    }
    notes.append("; ".join(f"{split}: {len(names):,} tars" for split, names in tars.items()) + ".")
    return NotedSplits(streams, notes)


@dataclass(frozen=True)
class ShardStream:
    """Samples of tars.

    A share reads tars of its own, or, where there are fewer tars than shares, its own samples of one tar.

    tars: their paths and addresses.
    columns, config: what their files mean.
    seed: of the order, which is another in each epoch.
    shuffle: samples kept at hand to be drawn from; 0 to read the tars in order.
    """

    tars: tuple[str, ...]
    columns: Columns
    config: ColumnsConfig
    seed: int = 0
    shuffle: int = 0

    def iterate(self, *, epoch: int, shard: int, shards: int) -> Iterator[Sample]:
        """One pass of one share. A broken sample or tar raises `SampleError`, after which the iterator goes on."""
        return _Pass(self._outcomes(epoch, shard, shards))

    def _outcomes(self, epoch: int, shard: int, shards: int) -> Iterator[Outcome]:
        tars = self.tars
        if self.shuffle:
            tars = tuple(tars[number] for number in np.random.default_rng((self.seed, epoch)).permutation(len(tars)))
        sharers = 1 if shards <= len(tars) else -(-(shards - shard % len(tars)) // len(tars))
        own = tars[shard::shards] if sharers == 1 else tars[shard % len(tars) : shard % len(tars) + 1]
        read = chain.from_iterable(self._read(tar) for tar in own)
        outcomes = islice(read, shard // len(tars) if sharers > 1 else 0, None, sharers)
        if not self.shuffle:
            return outcomes
        return _shuffled(outcomes, self.shuffle, np.random.default_rng((self.seed, epoch, shard)))

    def _read(self, tar: str) -> Iterator[Outcome]:
        for found in read_groups(tar, _WANTED):
            yield found if isinstance(found, SampleError) else self._sample(tar, *found)

    def _sample(self, tar: str, key: str, group: Group) -> Outcome:
        where = f"{tar}: {key}"
        try:
            fields = _Fields(where, _cells(where, group, self.config.image_column))
            return SampleReader(fields, self.columns, self.config).read([0])
        except SampleError as error:
            return error


class _Pass(Iterator[Sample]):
    """A generator would be finished by the first `SampleError`; this goes on."""

    def __init__(self, outcomes: Iterator[Outcome]) -> None:
        self._outcomes = outcomes

    def __next__(self) -> Sample:
        outcome = next(self._outcomes)
        if isinstance(outcome, SampleError):
            raise outcome
        return outcome


@dataclass(frozen=True)
class _Fields:
    """The files of one sample, as a table's row."""

    name: str
    cells: Mapping[str, Any]
    faults: Mapping[int, str] = field(default_factory=dict)

    def cell(self, row: int, column: str) -> Any:
        return self.cells.get(column)

    def where(self, row: int) -> str:
        return self.name


def _cells(where: str, group: Group, image: str | None) -> dict[str, Any]:
    """The texts of a sample by the ending of their file, or by their key in a JSON file, and its picture.

    Raises:
        SampleError: a text is not UTF-8, or JSON is broken.
    """
    cells: dict[str, Any] = {}
    for name, content in sorted(group.items(), key=lambda item: item[0].endswith("json"), reverse=True):
        kind = name.rsplit(".", 1)[-1]
        try:
            if kind == "json":
                parsed = json.loads(content)
                cells |= flat(parsed) if isinstance(parsed, dict) else {}
            elif kind in _TEXTS:
                cells[name] = content.decode("utf-8-sig")
        except (ValueError, RecursionError) as error:
            raise SampleError(where, f"its .{name} cannot be read: {error}") from error
    return {**cells, _IMAGE: group.get(image) if image is not None else _picture(group)}


def _picture(group: Group) -> bytes | None:
    """The picture of a sample; of several (`jpg` and `mask.png`) the one with the plainest name."""
    pictures = [name for name in group if has_picture_suffix(f".{name}")]
    return group[min(pictures, key=lambda name: name.count("."))] if pictures else None


def _choose(config: Config, tars: Sequence[str]) -> tuple[Columns, list[str]]:
    """What the fields mean, by the first samples.

    Raises:
        DataError: there is none, or nothing in them is said about a picture.
    """
    cells: list[dict[str, list[str]]] = []
    broken: list[SampleError] = []
    for name, found in ((tar, found) for tar in tars for found in read_groups(tar, _WANTED)):
        try:
            cells.append(_looked_at(name, found, config.image_column))
        except SampleError as error:
            broken.append(error)
        if len(cells) == _LOOKED_AT or len(broken) == _MOST_BROKEN:
            break
    if not cells:
        examples = "".join(f"\n  {error}" for error in broken[:3]) or "\n  they are empty"
        raise DataError(f"{tars[0]}: no sample can be read from the first tars:{examples}")
    rows = Rows(tars[0], to_table(cells))
    chooser = Chooser(rows, config.model_copy(update={"image_column": _IMAGE}), lambda _: False)
    return chooser.columns(), chooser.notes


def _looked_at(tar: str, found: tuple[str, Group] | SampleError, image: str | None) -> dict[str, list[str]]:
    if isinstance(found, SampleError):
        raise found
    key, group = found
    cells = _cells(f"{tar}: {key}", group, image)
    if cells[_IMAGE] is None:
        raise SampleError(f"{tar}: {key}", f"no picture in it; it has {', '.join(group)}")
    return flat({**cells, _IMAGE: "its picture"})


def _shuffled(outcomes: Iterator[Outcome], size: int, rng: np.random.Generator) -> Iterator[Outcome]:
    """In random order within a window; errors at once."""
    kept: list[Outcome] = []
    for outcome in outcomes:
        if isinstance(outcome, SampleError):
            yield outcome
        elif len(kept) < size:
            kept.append(outcome)
        else:
            place = int(rng.integers(size))
            yield kept[place]
            kept[place] = outcome
    yield from (kept[place] for place in rng.permutation(len(kept)))
