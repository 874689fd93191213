"""Mixtures: exact proportions, a pure order, nothing lost."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tuwen.core.errors import DataError, RecipeError, SampleError
from tuwen.core.sample import Caption, Sample, Source, Stream
from tuwen.data import NotedSplits
from tuwen.data._mixing import ChainedStream, Interleaving, MixedSource, MixedStream

Build = Callable[..., NotedSplits]
WEIGHTS = [(1,), (1, 1), (3, 1), (1, 2, 3), (1000, 1), (7, 5, 3, 2), (6, 4), (123_456, 7_890, 1)]


def slow_order(weights: Sequence[int], length: int) -> list[tuple[int, int]]:
    """By sorting the times at which the items stand."""
    events = [
        (Fraction(2 * item + 1, 2 * weight), queue, item)
        for queue, weight in enumerate(weights)
        for item in range(length * weight // sum(weights) + 2)
    ]
    return [(queue, item) for _, queue, item in sorted(events)[:length]]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_order_is_that_of_sorted_times(weights: Sequence[int]) -> None:
    order = Interleaving(weights)
    expected = slow_order(weights, 300)
    assert [order.locate(place) for place in range(300)] == expected
    assert [order.place(queue, item) for queue, item in expected] == list(range(300))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_every_start_has_its_shares(weights: Sequence[int]) -> None:
    order, total = Interleaving(weights), sum(weights)
    counts = [0] * len(weights)
    for place in range(500):
        queue, item = order.locate(place)
        assert item == counts[queue]
        counts[queue] += 1
        for number, weight in enumerate(weights):
            assert abs(counts[number] - (place + 1) * weight / total) < len(weights) / 2 + 1


def test_far_places_are_exact() -> None:
    order = Interleaving((3, 5))
    far = 8 * 10**15
    assert [order.locate(far + place)[0] for place in range(8)] == [order.locate(place)[0] for place in range(8)]
    assert sum(order.locate(far + place)[0] == 0 for place in range(8)) == 3
    assert order.place(*order.locate(far + 5)) == far + 5


class Numbers:
    """A source of the captions `a0`, `a1`, ...; one of them may be broken."""

    def __init__(self, name: str, length: int, broken: int | None = None) -> None:
        self.name, self.length, self.broken = name, length, broken

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        if index == self.broken:
            raise SampleError(f"{self.name}{index}", "broken")
        return Sample(key=f"{self.name}{index}", captions=(Caption(f"{self.name}{index}"),))


class Reading(Iterator[Sample]):
    def __init__(self, source: Numbers, numbers: Iterator[int]) -> None:
        self.source, self.numbers = source, numbers

    def __next__(self) -> Sample:
        return self.source[next(self.numbers)]


class NumberStream:
    """A stream of the same."""

    def __init__(self, name: str, length: int, broken: int | None = None) -> None:
        self.source = Numbers(name, length, broken)
        self.epochs: list[int] = []

    def iterate(self, *, epoch: int, shard: int, shards: int) -> Iterator[Sample]:
        self.epochs.append(epoch)
        return Reading(self.source, iter(range(shard, self.source.length, shards)))


def drain(samples: Iterator[Sample], most: int = 10_000) -> list[str]:
    found: list[str] = []
    while len(found) < most:
        try:
            found.append(next(samples).captions[0].text)
        except SampleError as error:
            found.append(f"!{error.key}")
        except StopIteration:
            return found
    raise AssertionError("it has no end")


@pytest.mark.parametrize(
    ("sizes", "weights"), [((7, 3), (7, 3)), ((7, 3), (1, 1)), ((5, 1, 2), (1, 4, 1)), ((1, 1), (1, 9))]
)
def test_an_epoch_shows_everything_and_no_more_than_that_needs(sizes: Sequence[int], weights: Sequence[int]) -> None:
    names = "abc"[: len(sizes)]
    source = MixedSource({name: Numbers(name, size) for name, size in zip(names, sizes, strict=True)}, weights)
    assert isinstance(source, Source)
    shown = Counter(source[index].captions[0].text for index in range(len(source)))
    assert set(shown) == {f"{name}{item}" for name, size in zip(names, sizes, strict=True) for item in range(size)}
    without_last = {source[index].captions[0].text for index in range(len(source) - 1)}
    assert without_last != set(shown)
    if sizes == weights:
        assert set(shown.values()) == {1}


def test_a_mixture_is_pure_and_names_its_parts() -> None:
    source = MixedSource({"x": Numbers("a", 3), "y": Numbers("b", 2, broken=1)}, (1, 1))
    assert source[4] == source[4]
    assert source[0].key == "x: a0"
    with pytest.raises(SampleError, match="y: b1: broken"):
        source[3]
    with pytest.raises(IndexError):
        source[len(source)]


def scenes(train: int, seed: int = 0) -> dict[str, Any]:
    return {"kind": "scenes", "train_scenes": train, "test_scenes": 5, "size": 32, "seed": seed}


def shares(splits: NotedSplits, count: int = 600) -> dict[str, float]:
    source = splits["train"]
    assert isinstance(source, Source)
    names = Counter(source[index].key.split(":")[0] for index in range(min(count, len(source))))
    return {name: number / names.total() for name, number in names.items()}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"a": 0.9, "b": 0.1}),
        ({"weights": "even"}, {"a": 0.5, "b": 0.5}),
        ({"weights": {"a": 1, "b": 3}}, {"a": 0.25, "b": 0.75}),
        ({"temperature": 2}, {"a": 0.75, "b": 0.25}),
    ],
)
def test_weights(build: Build, settings: dict[str, Any], expected: dict[str, float]) -> None:
    splits = build("mixture", parts={"a": scenes(900), "b": scenes(100)}, **settings)
    assert shares(splits) == pytest.approx(expected, abs=0.01)
    assert {name: len(source) for name, source in splits.items() if isinstance(source, Source)}["test"] == 10


def test_splits_notes_and_labels_of_the_parts(build: Build, pictures: Callable[..., Path]) -> None:
    one = pictures("cat/1.jpg", "dog/2.jpg", folder="one")
    two = pictures("ant/3.jpg", "cat/4.jpg", "cat/5.jpg", folder="two")
    parts = {"one": {"kind": "folder", "path": str(one), "validation": 0}, "two": {"kind": "folder", "path": str(two)}}
    splits = build("mixture", parts={**parts, "world": scenes(10)})
    assert list(splits) == ["train", "validation", "test", "held_out"]
    assert set(splits.labels) > {"ant", "cat", "dog", "red circle"}
    assert splits.class_texts == {}  # a mixture describes all of its labels, or none
    assert "one: The classes are the names of 2 subfolders: cat, dog." in splits.notes
    assert build("mixture", parts={"world": scenes(10)}).class_texts.keys() == {"en", "zh"}
    train = splits["train"]
    assert isinstance(train, Source)
    keys = [train[index].key for index in range(len(train))]
    assert len(set(keys)) == len(keys) == 2 + 2 + 10


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weights": {"a": 1}}, "weights need a number for each of a, b"),
        ({"weights": {"a": 1, "b": 0}}, "weights must be above 0"),
        ({"weights": "even", "temperature": 2}, "temperature only acts on proportional"),
        ({"temperature": 0.5}, "temperature"),
    ],
)
def test_impossible_settings(build: Build, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        build("mixture", parts={"a": scenes(9), "b": scenes(9)}, **settings)


def test_faults_of_parts_name_the_part(build: Build, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"data\.parts\.a\.sise: unknown key"):
        build("mixture", parts={"a": {"kind": "scenes", "sise": 3}})
    with pytest.raises(RecipeError, match="no part 'scene' in data"):
        build("mixture", parts={"a": {"kind": "scene"}})
    with pytest.raises(DataError, match="no such folder"):
        build("mixture", parts={"a": {"kind": "folder", "path": str(tmp_path / "gone")}})


# Streams


def test_a_mixed_stream_ends_when_all_streams_did() -> None:
    long, short = NumberStream("a", 6), NumberStream("b", 2)
    mixed = MixedStream({"x": long, "y": short, "z": Numbers("c", 2)}, (1, 1, 1), seed=0)
    assert isinstance(mixed, Stream)
    assert not isinstance(mixed, Source)
    found = drain(mixed.iterate(epoch=0, shard=0, shards=1))
    counts = Counter(text[0] for text in found)
    assert [text for text in found if text[0] == "a"] == [f"a{number}" for number in range(6)]
    assert [text for text in found if text[0] == "b"][:4] == ["b0", "b1", "b0", "b1"]
    assert max(counts.values()) - min(counts.values()) <= 1
    assert set(found) >= {"c0", "c1"}
    assert short.epochs[0] == 0
    assert len(set(short.epochs)) == len(short.epochs) > 1
    assert found == drain(mixed.iterate(epoch=0, shard=0, shards=1))


def test_a_mixed_stream_goes_on_after_a_broken_sample() -> None:
    mixed = MixedStream({"x": NumberStream("a", 4, broken=1), "z": Numbers("c", 1, broken=0)}, (1, 1), seed=0)
    found = drain(mixed.iterate(epoch=0, shard=0, shards=1))
    assert [text for text in found if "a" in text] == ["a0", "!x: a1", "a2", "a3"]
    assert found.count("!z: c0") >= 3


def test_shares_of_a_mixed_stream_are_disjoint() -> None:
    mixed = MixedStream({"x": NumberStream("a", 12), "z": Numbers("c", 12)}, (1, 1), seed=3)
    found = [drain(mixed.iterate(epoch=0, shard=shard, shards=3)) for shard in range(3)]
    assert Counter(text for share in found for text in share if text[0] == "a") == Counter(f"a{n}" for n in range(12))
    sources = Counter(text for share in found for text in share if text[0] == "c")
    assert max(sources.values()) <= 2


def test_a_source_smaller_than_the_number_of_shares() -> None:
    mixed = MixedStream({"x": NumberStream("a", 40), "z": Numbers("c", 3)}, (1, 1), seed=3)
    found = [drain(mixed.iterate(epoch=0, shard=shard, shards=8)) for shard in range(8)]
    assert all({text[0] for text in share} == {"a", "c"} for share in found)


def test_an_empty_share_of_a_stream_is_an_error() -> None:
    mixed = MixedStream({"x": NumberStream("a", 4), "y": NumberStream("b", 1)}, (1, 1), seed=0)
    with pytest.raises(DataError, match="y: there is no sample in it for one of the data workers"):
        drain(mixed.iterate(epoch=0, shard=1, shards=2))


def test_evaluation_chains_streams_and_sources() -> None:
    chained = ChainedStream({"x": NumberStream("a", 5, broken=2), "z": Numbers("c", 3)})
    found = [drain(chained.iterate(epoch=0, shard=shard, shards=2)) for shard in range(2)]
    assert found == [["a0", "!x: a2", "a4", "c0", "c2"], ["a1", "a3", "c1"]]


def test_tars_in_a_mixture(build: Build, tmp_path: Path) -> None:
    import io
    import tarfile

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(6):
            for name, content in ((f"{number}.png", file.getvalue()), (f"{number}.txt", b"text")):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    tars = {"kind": "shards", "train": [str(tmp_path / "a.tar")], "test": [str(tmp_path / "a.tar")]}
    parts = {"tars": tars, "world": scenes(100)}
    splits = build("mixture", parts=parts, weights={"tars": 1, "world": 2})
    train, test = splits["train"], splits["test"]
    assert isinstance(train, Stream)
    assert isinstance(test, Stream)
    names = Counter(sample.key.split(":")[0] for sample in train.iterate(epoch=0, shard=0, shards=1))
    assert names["tars"] == 6
    assert 10 <= names["world"] <= 14
    assert len(list(test.iterate(epoch=0, shard=0, shards=1))) == 6 + 5
    with pytest.raises(DataError, match="the size of tars is not known"):
        build("mixture", parts=parts)
