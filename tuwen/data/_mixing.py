"""Several sources or streams as one, in fixed proportions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import count
from math import gcd, lcm

import numpy as np

from tuwen.core.errors import DataError, SampleError
from tuwen.core.sample import Sample, Source, Stream
from tuwen.prep.order import permute

_PRECISION = 10_000


def whole_weights(shares: Sequence[float]) -> list[int]:
    """Whole numbers in the proportion of positive ones, to a ten-thousandth."""
    return [max(1, round(share / sum(shares) * _PRECISION)) for share in shares]


class Interleaving:
    """Items of K queues in one endless order, in which each queue is at any time within an item of its share or so.

    Item `j` of queue `k`, of weight `w`, stands at time `(2 j + 1) / (2 w)`; the order is that of the times, and of the
    queues' numbers where times are equal. It is computed place by place in whole numbers, so that it is the same on
    every machine, and going on anywhere costs nothing.

    Args:
        weights: a positive whole number for each queue.
    """

    def __init__(self, weights: Sequence[int]) -> None:
        common = gcd(*weights)
        self.weights = [weight // common for weight in weights]
        self._total = sum(self.weights)
        self._double = 2 * lcm(*self.weights)  # the length of a period, in which queue k has weights[k] items
        self._steps = [self._double // 2 // weight for weight in self.weights]

    def locate(self, place: int) -> tuple[int, int]:
        """Which queue gives the item at a place of the order, and which of its items it is, both from 0."""
        queues = range(len(self.weights))
        time = max(0, (place - len(self.weights)) * self._double // self._total)  # surely before the place
        counts = [(time // step + 1) // 2 for step in self._steps]
        left = place - sum(counts)
        while True:
            queue = min(queues, key=lambda number: ((2 * counts[number] + 1) * self._steps[number], number))
            if left == 0:
                return queue, counts[queue]
            counts[queue] += 1
            left -= 1

    def place(self, queue: int, item: int) -> int:
        """The place of an item in the order."""
        time = (2 * item + 1) * self._steps[queue]
        before = 0
        for number, step in enumerate(self._steps):
            passed, rest = divmod(time, step)
            at_once = rest == 0 and passed % 2 == 1 and number >= queue
            before += (passed + 1) // 2 - at_once
        return before


class MixedSource:
    """A source of which item `i` comes from one of several, by `Interleaving`; small ones repeat.

    Its length is the least that shows every sample of every source.

    Args:
        sources: by name; the name goes before the keys of its samples.
        weights: for each source, in the same order.
    """

    def __init__(self, sources: Mapping[str, Source], weights: Sequence[int]) -> None:
        self._names, self._sources = list(sources), list(sources.values())
        self.order = Interleaving(weights)

    @cached_property
    def _length(self) -> int:
        return 1 + max(self.order.place(number, len(source) - 1) for number, source in enumerate(self._sources))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        number, item = self.order.locate(index)
        source = self._sources[number]
        return _named(self._names[number], lambda: source[item % len(source)])


class MixedStream:
    """A stream of several streams and sources, by `Interleaving`.

    A pass ends when every stream was read to its end; what ends sooner begins again, in another order. Sources are read
    in a random order, without end.

    Args:
        members: streams, at least one, and sources, by name; the name goes before the keys of its samples.
        weights: for each member, in the same order.
        seed: of the order of the sources.
    """

    def __init__(self, members: Mapping[str, Source | Stream], weights: Sequence[int], seed: int) -> None:
        self._members, self._seed = dict(members), seed
        self._order = Interleaving(weights)

    def iterate(self, *, epoch: int, shard: int, shards: int) -> Iterator[Sample]:
        """One pass of one share. A broken sample raises `SampleError`, after which the iterator goes on."""
        queues = [_queue(name, member, self._seed, epoch, shard, shards) for name, member in self._members.items()]
        return _MixedPass(queues, self._order)


class ChainedStream:
    """A stream of several streams and sources one after the other, each sample once.

    Args:
        members: by name; the name goes before the keys of its samples.
    """

    def __init__(self, members: Mapping[str, Source | Stream]) -> None:
        self._members = dict(members)

    def iterate(self, *, epoch: int, shard: int, shards: int) -> Iterator[Sample]:
        """One pass of one share. A broken sample raises `SampleError`, after which the iterator goes on."""
        return _Chain(
            [
                _InOrder(name, member, range(shard, len(member), shards))
                if isinstance(member, Source)
                else _Again(name, member, epoch, shard, shards)
                for name, member in self._members.items()
            ]
        )


# Iterators are classes here, because a generator would be finished by the first `SampleError`.


class _InOrder(Iterator[Sample]):
    """Samples of a source, by their numbers."""

    def __init__(self, name: str, source: Source, numbers: Iterable[int]) -> None:
        self._name, self._source, self._numbers = name, source, iter(numbers)

    def __next__(self) -> Sample:
        number = next(self._numbers)
        return _named(self._name, lambda: self._source[number])


class _Again(Iterator[Sample]):
    """A share of a stream, that can be begun again.

    ended: whether it was read to its end once.
    """

    def __init__(self, name: str, stream: Stream, epoch: int, shard: int, shards: int) -> None:
        self.name, self._stream, self.ended = name, stream, False
        self._epoch, self._share = epoch, (shard, shards)
        self.begin()

    def begin(self) -> None:
        shard, shards = self._share
        self._samples = self._stream.iterate(epoch=self._epoch, shard=shard, shards=shards)
        self._epoch += 1 << 20  # the epochs of the run are far below

    def __next__(self) -> Sample:
        return _named(self.name, lambda: next(self._samples))


class _Chain(Iterator[Sample]):
    def __init__(self, parts: Sequence[Iterator[Sample]]) -> None:
        self._parts = list(parts)

    def __next__(self) -> Sample:
        while self._parts:
            try:
                return next(self._parts[0])
            except StopIteration:
                self._parts.pop(0)
        raise StopIteration


class _MixedPass(Iterator[Sample]):
    def __init__(self, queues: Sequence[Iterator[Sample]], order: Interleaving) -> None:
        self._queues, self._order, self._place = queues, order, 0

    def __next__(self) -> Sample:
        queue = self._queues[self._order.locate(self._place)[0]]
        try:
            sample = next(queue)
        except StopIteration:
            sample = self._once_more(queue)
        except SampleError:
            self._place += 1
            raise
        self._place += 1
        return sample

    def _once_more(self, queue: Iterator[Sample]) -> Sample:
        assert isinstance(queue, _Again)  # sources have no end
        queue.ended = True
        if all(other.ended for other in self._queues if isinstance(other, _Again)):
            raise StopIteration
        queue.begin()
        try:
            return next(queue)
        except StopIteration:
            raise DataError(f"{queue.name}: there is no sample in it for one of the data workers.") from None


def _queue(name: str, member: Source | Stream, seed: int, epoch: int, shard: int, shards: int) -> Iterator[Sample]:
    """A share of a stream, or a share of the endless random order of a source."""
    if not isinstance(member, Source):
        return _Again(name, member, epoch, shard, shards)
    size = len(member)

    def numbers() -> Iterator[int]:
        for position in count(shard, shards):
            again, place = divmod(position, size)
            yield int(permute(np.array([place]), size, seed, (epoch << 20) + again)[0])

    return _InOrder(name, member, numbers())


def _named(name: str, read: Callable[[], Sample]) -> Sample:
    """A sample whose key, or whose error, tells which part it is of."""
    try:
        sample = read()
    except SampleError as error:
        raise SampleError(f"{name}: {error.key}", error.reason) from error
    return replace(sample, key=f"{name}: {sample.key}")
