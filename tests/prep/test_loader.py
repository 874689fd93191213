"""Batches: the same for any number of workers and wherever a run goes on, full, and honest about what is broken."""

from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np
import pytest
import torch

from tuwen.core.errors import CheckpointError, DataError, SampleError
from tuwen.core.sample import Sample, Source, Stream
from tuwen.prep.batches import Encoded, collate
from tuwen.prep.loader import Loaded, Loader


class Numbers:
    """`n` samples, some of which cannot be read."""

    def __init__(self, n: int, broken: frozenset[int] = frozenset()) -> None:
        self.n, self.broken = n, broken

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Sample:
        if index in self.broken:
            raise SampleError(f"s{index}", "unreadable")
        return Sample(f"s{index}")


class Flow:
    """The same as a stream, dealt to its shards like cards; broken samples break when they are encoded."""

    def __init__(self, n: int) -> None:
        self.n = n

    def iterate(self, *, epoch: int, shard: int, shards: int) -> Iterator[Sample]:
        for number in range(shard, self.n, shards):
            yield Sample(f"e{epoch}s{number}")


def encode(sample: Sample, generator: np.random.Generator) -> Encoded:
    """The key, and a random number that stands for augmentation."""
    return Encoded(f"{sample.key}/{generator.integers(10**6)}")


def encode_some(sample: Sample, generator: np.random.Generator) -> Encoded:
    if sample.key.endswith("3"):
        raise SampleError(sample.key, "three is broken")
    return encode(sample, generator)


def make(source: Source | Stream, batch_size: int = 4, encode=encode, **settings) -> Loader:
    return Loader(source, encode, partial(collate, pad=0), batch_size, **settings)


def keys(loaded: list[Loaded]) -> list[list[str]]:
    """The samples of each batch, without their random numbers."""
    return [[key.split("/")[0] for key in each.batch.keys] for each in loaded]


def test_an_epoch_has_each_sample_once_and_the_next_another_order() -> None:
    loader = make(Numbers(22))
    assert loader.steps_per_epoch == 5
    batches = list(islice(loader.iterate(), 10))
    first, second = (sum(keys(batches[part]), []) for part in (slice(5), slice(5, 10)))
    assert len(set(first)) == len(set(second)) == 20
    assert first != second
    assert [each.epoch for each in batches] == [0] * 5 + [1] * 5


def test_a_sample_is_augmented_anew_in_each_epoch() -> None:
    numbers = {}
    for each in islice(make(Numbers(8)).iterate(), 20):
        for key in each.batch.keys:
            name, number = key.split("/")
            numbers.setdefault(name, []).append(number)
    assert all(len(set(drawn)) == 10 for drawn in numbers.values())


@pytest.mark.parametrize("broken", [frozenset(), frozenset({2, 3, 11})])
def test_batches_do_not_depend_on_the_workers_or_on_where_one_begins(broken: frozenset[int]) -> None:
    alone = list(islice(make(Numbers(22, broken)).iterate(), 12))
    together = list(islice(make(Numbers(22, broken), workers=3).iterate(), 12))
    later = list(islice(make(Numbers(22, broken), workers=2).iterate(7), 5))
    assert together == alone
    assert later == alone[7:]


def test_processes_share_an_epoch_without_overlap() -> None:
    one = [set(sum(keys([each]), [])) for each in islice(make(Numbers(24), batch_size=6).iterate(), 4)]
    ranks = [list(islice(make(Numbers(24), batch_size=3, rank=rank, world=2).iterate(), 4)) for rank in range(2)]
    two = [set(sum(keys(list(pair)), [])) for pair in zip(*ranks, strict=True)]
    assert two == one


def test_a_broken_sample_is_reported_and_replaced() -> None:
    broken = frozenset({0, 5, 6})
    batches = list(islice(make(Numbers(20, broken)).iterate(), 5))
    assert sorted({skipped for each in batches for skipped in each.skipped}) == [
        (f"s{number}", "unreadable") for number in sorted(broken)
    ]
    assert all(len(set(batch)) == 4 for batch in keys(batches))
    assert batches == list(islice(make(Numbers(20, broken)).iterate(), 5))


def test_mostly_broken_data_stop_the_run_with_examples() -> None:
    with pytest.raises(DataError, match="samples tried for one batch cannot be used, for example:\n  s[0-9]+: unread"):
        next(make(Numbers(100, frozenset(range(95)))).iterate())


def test_too_few_usable_samples_to_fill_a_batch() -> None:
    with pytest.raises(DataError, match="1 of 4 samples tried"):
        next(make(Numbers(4, frozenset({1}))).iterate())


def test_too_few_samples() -> None:
    with pytest.raises(DataError, match="3 samples do not fill a batch of 4: set train.batch_size to 3 or less"):
        make(Numbers(3))
    with pytest.raises(DataError, match="a batch of 4 for each of 2 processes: set train.batch_size to 3"):
        make(Numbers(7), world=2)


@pytest.mark.parametrize("workers", [0, 2])
def test_evaluation_reads_everything_once_in_order(workers: int) -> None:
    loader = make(Numbers(10, frozenset({2})), workers=workers, shuffle=False)
    batches = list(loader.iterate())
    assert keys(batches) == [["s0", "s1", "s3"], ["s4", "s5", "s6", "s7"], ["s8", "s9"]]
    assert [each.skipped for each in batches] == [(("s2", "unreadable"),), (), ()]
    assert loader.steps_per_epoch == 3
    ranks = [make(Numbers(10), shuffle=False, rank=rank, world=2).iterate() for rank in range(2)]
    assert [keys(list(rank)) for rank in ranks] == [
        [["s0", "s1", "s2", "s3"], ["s8", "s9"]],
        [["s4", "s5", "s6", "s7"]],
    ]


@pytest.mark.parametrize("broken", [{0, 1}, {2, 3}, {4}, {0, 1, 4}])
def test_evaluation_sees_no_empty_batch_and_loses_no_report(broken: set[int]) -> None:
    batches = list(make(Numbers(5, frozenset(broken)), batch_size=2, shuffle=False).iterate())
    assert all(each.batch for each in batches)
    assert sorted(sum(keys(batches), [])) == [f"s{number}" for number in range(5) if number not in broken]
    assert sorted(key for each in batches for key, _ in each.skipped) == [f"s{number}" for number in sorted(broken)]


def test_evaluation_of_nothing_but_broken_samples() -> None:
    with pytest.raises(DataError, match="none of 5 samples can be used, for example:\n  s0: unreadable"):
        list(make(Numbers(5, frozenset(range(5))), shuffle=False).iterate())


def fails(sample: Sample, generator: np.random.Generator) -> Encoded:
    if sample.key == "s7":
        raise ZeroDivisionError("a fault in code")
    return encode(sample, generator)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_fault_in_code_names_the_sample(workers: int) -> None:
    with pytest.raises(DataError, match="s7: preparing it failed with ZeroDivisionError: a fault in code") as caught:
        list(islice(make(Numbers(12), encode=fails, workers=workers).iterate(), 3))
    trace = "".join(getattr(caught.value, "__notes__", [])) if workers else str(type(caught.value.__cause__))
    assert "ZeroDivisionError" in trace


@pytest.mark.parametrize("workers", [0, 1])
def test_a_fault_in_collation_names_the_batch(workers: int) -> None:
    def collate_nothing(samples: list[Encoded]) -> None:
        raise KeyError(len(samples))

    loader = Loader(Numbers(4), encode, collate_nothing, 2, workers=workers, shuffle=False)
    with pytest.raises(DataError, match="the batch of s0/[0-9]+, s1/[0-9]+: preparing it failed with KeyError: 2"):
        next(loader.iterate())


def test_a_trillion_samples_and_their_last_step() -> None:
    loader = make(Numbers(10**12))
    assert len(next(loader.iterate(10**11)).batch) == 4


@pytest.mark.parametrize("workers", [0, 2])
def test_the_randomness_of_training_is_left_alone(workers: int) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    next(make(Numbers(8), workers=workers).iterate())
    assert torch.equal(torch.get_rng_state(), before)


def test_readers_of_a_stream_share_it() -> None:
    for workers in (0, 1, 3):
        batches = list(make(Flow(50), workers=workers, shuffle=False).iterate())
        assert sorted(sum(keys(batches), [])) == sorted(f"e0s{number}" for number in range(50))
    ranks = [list(make(Flow(50), workers=2, rank=rank, world=2, shuffle=False).iterate()) for rank in range(2)]
    assert sorted(sum(keys(ranks[0] + ranks[1]), [])) == sorted(f"e0s{number}" for number in range(50))


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
@pytest.mark.parametrize("encode", [encode, encode_some])
def test_a_stream_goes_on_exactly(workers: int, encode) -> None:
    loader = make(Flow(50), encode=encode, workers=workers)
    whole = list(islice(loader.iterate(), 30))
    assert {len(each.batch) for each in whole} == {4}
    assert whole[-1].epoch > 0
    for stop in (1, 4, 17):
        assert list(islice(loader.iterate(stop, whole[stop - 1].cursor), 30 - stop)) == whole[stop:]


def test_going_on_decodes_nothing_that_was_read() -> None:
    loader = make(Flow(1000))
    cursor = list(islice(loader.iterate(), 50))[-1].cursor
    seen = []

    def watch(sample: Sample, generator: np.random.Generator) -> Encoded:
        seen.append(sample.key)
        return encode(sample, generator)

    next(make(Flow(1000), encode=watch).iterate(50, cursor))
    assert seen == [f"e0s{number}" for number in range(200, 204)]


def test_a_stream_goes_on_with_as_many_workers_or_says_so() -> None:
    cursor = next(make(Flow(50), workers=2).iterate()).cursor
    with pytest.raises(CheckpointError, match="began with 2 and would go on with 1. Set train.workers=2"):
        next(make(Flow(50)).iterate(1, cursor))
    with pytest.raises(CheckpointError, match="the checkpoint has none"):
        next(make(Flow(50)).iterate(1))


def test_a_share_without_samples_is_an_error_not_an_endless_search() -> None:
    with pytest.raises(DataError, match="no sample for reader 3 of 3"):
        list(islice(make(Flow(2), batch_size=1, workers=3).iterate(), 3))


class Torn:
    """A stream whose second sample is broken, and which breaks itself after the third."""

    def iterate(self, *, epoch: int, shard: int, shards: int) -> Iterator[Sample]:
        return self

    def __init__(self) -> None:
        self.number = -1

    def __iter__(self) -> Iterator[Sample]:
        return self

    def __next__(self) -> Sample:
        self.number += 1
        if self.number == 1:
            raise SampleError("s1", "torn")
        if self.number == 3:
            raise OSError("the network is gone")
        return Sample(f"s{self.number}")


def test_a_stream_that_breaks_says_where() -> None:
    batches = make(Torn(), batch_size=2).iterate()
    first = next(batches)
    assert keys([first]) == [["s0", "s2"]]
    assert first.skipped == (("s1", "torn"),)
    with pytest.raises(DataError, match="the sample after s2 in share 0 of 1, epoch 0: .*OSError: the network is gone"):
        next(batches)
