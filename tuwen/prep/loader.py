"""Samples to batches, in an order that is a function of the seed and of the step, so that a run can stop and go on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count

import numpy as np

from tuwen.core.batch import Batch
from tuwen.core.errors import CheckpointError, DataError
from tuwen.core.sample import Source, Stream
from tuwen.prep.filling import Collate, Encode, Filler, Skipped
from tuwen.prep.order import permute
from tuwen.prep.streams import StreamReader
from tuwen.prep.workers import by_number, in_turn

Cursor = tuple[tuple[int, int], ...]
"""How far each reader of a stream has come: its epoch, and how many samples of that epoch it has read."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A batch and where it comes from.

    skipped: samples that should have been in the batch and cannot be used: key and reason.
    epoch: the pass over the data that the batch belongs to, from 0.
    cursor: for a stream, where reading goes on after this batch; None for a source, whose step says it all.
    """

    batch: Batch
    skipped: Skipped
    epoch: int
    cursor: Cursor | None = None

    def pin_memory(self) -> Loaded:
        """The same in page-locked memory (PyTorch's loader looks for this method)."""
        return replace(self, batch=self.batch.pin_memory())


class Loader:
    """Batches of a source or of a stream.

    From a `Source`, batch number t is a pure function of (seed, t, rank, world, batch_size): the same whatever the
    number of workers and wherever the run was resumed. With `shuffle` the epochs follow each other without end, each in
    an order of its own (a source that says `ordered`, as a curriculum does, keeps its own); the few samples at the end
    of an epoch that do not fill a batch for every process sit it out. Without, there is one pass in order, and the last
    batch may be smaller: the order of evaluation.

    A `Stream` can only be read in turn, so there the order depends on the number of workers too: each of
    `world * max(1, workers)` readers reads a share of its own, and the batches come from the readers in turn. Each
    batch carries a cursor to go on from, because how many samples it used up is known only once it is made (a broken
    sample is replaced by the one after it); going on passes over the samples before the cursor without decoding them.

    A broken sample (`SampleError`) is replaced while training, so that batches stay full, and left out of evaluation.

    Args:
        source: where samples come from.
        encode: one sample to its rows; the generator is the sample's own, from the seed, the epoch and its number.
        collate: encoded samples to a batch.
        batch_size: samples in a batch of one process.
        seed: names the order and the randomness of the samples.
        workers: processes that prepare batches; 0 prepares them in the training process.
        rank, world: this process among those that train together.
        shuffle: endless random epochs (training), or one pass in order (evaluation).

    Raises:
        DataError: there are fewer samples than a batch of all processes needs.
    """

    def __init__(
        self,
        source: Source | Stream,
        encode: Encode,
        collate: Collate,
        batch_size: int,
        seed: int = 0,
        *,
        workers: int = 0,
        rank: int = 0,
        world: int = 1,
        shuffle: bool = True,
    ) -> None:
        self.source, self.batch_size, self.seed = source, batch_size, seed
        self.workers, self.rank, self.world, self.shuffle = workers, rank, world, shuffle
        self.mixes = shuffle and not getattr(source, "ordered", False)
        self.filler = Filler(encode, collate, full=shuffle)
        if shuffle and isinstance(source, Source) and len(source) < batch_size * world:
            asked = f"a batch of {batch_size}" + (f" for each of {world} processes" if world > 1 else "")
            advice = f"set train.batch_size to {len(source) // world} or less" if len(source) >= world else "add data"
            raise DataError(f"{len(source)} samples do not fill {asked}: {advice}.")

    @property
    def samples(self) -> int | None:
        """How many there are; None for a stream."""
        return len(self.source) if isinstance(self.source, Source) else None

    @property
    def steps_per_epoch(self) -> int | None:
        """Batches of this process in one pass; None for a stream, which does not know its length."""
        if self.samples is None:
            return None
        together = self.batch_size * self.world
        return self.samples // together if self.shuffle else -(-self.samples // together)

    def iterate(self, start_step: int = 0, cursor: Cursor | None = None) -> Generator[Loaded, None, None]:
        """Batches from number `start_step` on; a stream goes on from the cursor of the batch before it.

        Raises:
            DataError: so many samples are broken that no batch can be filled, or preparing one failed unexpectedly.
            CheckpointError: the cursor was left by another number of workers.
        """
        if isinstance(self.source, Source):
            steps = count(start_step) if self.shuffle else range(start_step, self.steps_per_epoch or 0)
            batches = by_number(partial(self._from_source, self.source), steps, self.workers)
        else:
            batches = self._from_stream(self.source, start_step, cursor)
        return batches if self.shuffle else _without_empty(batches)

    def _from_source(self, source: Source, step: int) -> Loaded:
        """Batch number `step`."""
        samples = len(source)
        epoch, turn = divmod(step, self.steps_per_epoch or 1) if self.shuffle else (0, step)
        first = (turn * self.world + self.rank) * self.batch_size
        places = np.arange(first, max(first, min(first + self.batch_size, samples)))
        numbers = (permute(places, samples, self.seed, epoch) if self.mixes else places).tolist()
        spares = _spares(numbers, samples, (self.seed, epoch, step, self.rank, SPARE)) if self.shuffle else ()
        attempts = (
            self.filler.attempt(
                f"sample number {number}", partial(source.__getitem__, number), (self.seed, epoch, number)
            )
            for number in chain(numbers, spares)
        )
        batch, skipped = self.filler.batch(attempts, len(numbers))
        return Loaded(batch, skipped, epoch)

    def _from_stream(self, stream: Stream, start_step: int, cursor: Cursor | None) -> Generator[Loaded, None, None]:
        """Batches of the readers in turn, each with the cursors of all readers."""
        readers = max(1, self.workers)
        if start_step and cursor is None:
            raise CheckpointError("a stream goes on from the cursor of its last batch, and the checkpoint has none.")
        cursors = list(cursor or [(0, 0)] * readers)
        if len(cursors) != readers:
            raise CheckpointError(
                f"the data is a stream, whose order depends on the number of workers: the run began with "
                f"{len(cursors)} and would go on with {readers}. Set train.workers={len(cursors)} to go on exactly."
            )
        read = partial(self._from_reader, stream, tuple(cursors))
        for reader, loaded in in_turn(read, self.workers, first=start_step % readers):
            cursors[reader] = loaded.cursor[0] if loaded.cursor else cursors[reader]
            yield replace(loaded, cursor=tuple(cursors))

    def _from_reader(self, stream: Stream, start: Cursor, number: int) -> Iterator[Loaded]:
        """Batches of one reader; the cursor of each is this reader's alone."""
        reader = StreamReader(
            stream,
            self.filler,
            self.seed,
            share=self.rank * len(start) + number,
            shares=self.world * len(start),
            position=start[number],
            endless=self.shuffle,
        )
        attempts = reader.attempts()
        while True:
            epoch = reader.position[0]
            batch, skipped = self.filler.batch(attempts, self.batch_size)
            if not batch and not skipped:
                return
            yield Loaded(batch, skipped, epoch, (reader.position,))


SPARE = 1
"""Tells the random numbers that choose spare samples from those that a sample is encoded with."""


def _spares(numbers: list[int], samples: int, seed: tuple[int, ...]) -> Iterator[int]:
    """Random samples that stand in for broken ones, none of them in the batch already."""
    seen = set(numbers)
    generator = np.random.default_rng(seed)
    while len(seen) < samples:
        number = int(generator.integers(samples))
        if number not in seen:
            seen.add(number)
            yield number


def _without_empty(batches: Iterator[Loaded]) -> Generator[Loaded, None, None]:
    """Evaluation sees no empty batch: the broken samples of one are reported with a neighbour.

    Raises:
        DataError: there is nothing but broken samples.
    """
    held: Loaded | None = None
    for loaded in batches:
        if held is None:
            held = loaded
        elif held.batch and loaded.batch:
            yield held
            held = loaded
        else:
            held = replace(held if held.batch else loaded, skipped=held.skipped + loaded.skipped)
    if held is not None and not held.batch:
        examples = "".join(f"\n  {key}: {reason}" for key, reason in held.skipped[:5])
        raise DataError(f"none of {len(held.skipped)} samples can be used, for example:{examples}")
    if held is not None:
        yield held
