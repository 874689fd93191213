"""The easy-VQA package as a source."""

import sys
from collections import Counter
from collections.abc import Callable

import pytest

from tuwen.core.errors import DataError
from tuwen.core.sample import Source
from tuwen.data import NotedSplits
from tuwen.data.easy_vqa import EasyVQA, kind_of
from tuwen.prep.images import ImageConfig, ImagePrep

Build = Callable[..., NotedSplits]


def source(splits: NotedSplits, name: str) -> EasyVQA:
    found = splits[name]
    assert isinstance(found, EasyVQA)
    assert isinstance(found, Source)
    return found


def test_official_counts(build: Build) -> None:
    splits = build("easy_vqa")
    assert list(splits) == ["train", "test"]
    counts = {}
    for name in splits:
        questions = [
            question for n in range(len(source(splits, name))) for question in source(splits, name)[n].questions
        ]
        counts[name] = (len(source(splits, name)), len(questions), len({q.answer for q in questions}))
    assert counts == {"train": (4000, 38_575, 13), "test": (1000, 9_673, 13)}
    assert len(source(splits, "test").answers) == 13


def test_a_sample_is_a_picture_with_its_questions(build: Build) -> None:
    sample = source(build("easy_vqa"), "train")[0]
    assert sample.key == "easy_vqa/train/0"
    assert sample.image is not None
    assert ImagePrep(ImageConfig(size=64))(sample.image, sample.key, None).shape == (64, 64, 3)
    asked = {question.text: (question.answer, question.kind, question.language) for question in sample.questions}
    assert asked["what is the blue shape?"] == ("rectangle", "shape", "en")
    assert asked["what color is the shape?"] == ("blue", "colour", "en")
    assert asked["does the image contain a rectangle?"] == ("yes", "yes-no", "en")


def test_kinds_follow_the_answer(build: Build) -> None:
    kinds = Counter(kind_of(answer) for answer in source(build("easy_vqa"), "train").answers)
    assert kinds == {"colour": 8, "shape": 3, "yes-no": 2}


def test_validation_comes_out_of_training(build: Build) -> None:
    splits = build("easy_vqa", validation=0.1)
    keys = {name: {source(splits, name)[n].key for n in range(len(source(splits, name)))} for name in splits}
    assert not keys["train"] & keys["validation"]
    assert len(keys["train"] | keys["validation"]) == 4000
    assert 320 < len(keys["validation"]) < 480
    assert len(keys["test"]) == 1000


def test_without_the_package(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "easy_vqa", None)
    with pytest.raises(DataError, match=r"pip install 'tuwen\[easy-vqa\]'"):
        build("easy_vqa")
