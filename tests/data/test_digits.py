"""scikit-learn's digits, in a split that never changes."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tuwen.core.sample import Sample, Source
from tuwen.data import NotedSplits

Build = Callable[..., NotedSplits]


def samples(splits: NotedSplits, name: str) -> list[Sample]:
    source = splits[name]
    assert isinstance(source, Source)
    return [source[number] for number in range(len(source))]


def test_a_fixed_quarter_of_each_digit_is_held_out(build: Build) -> None:
    splits = build("digits")
    assert list(splits) == ["train", "test"]
    train, test = samples(splits, "train"), samples(splits, "test")
    assert (len(train), len(test)) == (1343, 454)
    keys = Counter(sample.key for sample in train + test)
    assert keys == Counter(f"digits/{number}" for number in range(1797))
    for digit in "0123456789":
        own = [sum(sample.label == digit for sample in split) for split in (train, test)]
        assert own[1] == -(-sum(own) // 4)
    assert [sample.key for sample in test[:5]] == [sample.key for sample in samples(build("digits"), "test")[:5]]


def test_validation_is_taken_from_the_other_three_quarters(build: Build) -> None:
    whole, divided = build("digits"), build("digits", validation=0.2)
    assert list(divided) == ["train", "validation", "test"]
    assert samples(divided, "test")[0].key == samples(whole, "test")[0].key
    held = {sample.key for sample in samples(divided, "validation")}
    kept = {sample.key for sample in samples(divided, "train")}
    assert held | kept == {sample.key for sample in samples(whole, "train")}
    assert not held & kept
    assert len(held) == pytest.approx(0.2 * 1343, abs=5)


def test_pictures_labels_and_texts(build: Build) -> None:
    original = load_digits()
    splits = build("digits")
    for sample in samples(splits, "test")[:20]:
        number = int(sample.key.removeprefix("digits/"))
        assert isinstance(sample.image, np.ndarray)
        assert sample.image.shape == (8, 8, 3)
        assert sample.image.dtype == np.uint8
        np.testing.assert_allclose(sample.image[..., 0], original.images[number] / 16 * 255, atol=0.5)
        assert sample.label == str(original.target[number])
    three = next(sample for sample in samples(splits, "train") if sample.label == "3")
    assert [caption.text for caption in three.captions] == ["the digit three", "数字三"]
    assert splits.labels == tuple("0123456789")
    assert splits.class_texts["zh"]["7"] == "数字七"
    assert all(not sample.captions for sample in samples(build("digits", captions=False), "test"))
