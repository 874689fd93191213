"""NLVR's format, on files made here; and the real corpus where it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tuwen.core.errors import DataError, SampleError
from tuwen.core.sample import Source
from tuwen.data import NotedSplits

Build = Callable[..., NotedSplits]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Four sentences for training, two in dev, two in test."""
    folder = tmp_path / "nlvr"
    for name, count in (("train", 4), ("dev", 2), ("test", 2)):
        (folder / name).mkdir(parents=True)
        lines = []
        for number in range(count):
            pixels = np.full((100, 400, 3), 128, np.uint8)
            for box in range(3):
                pixels[:, 150 * box : 150 * box + 100] = 10 * (box + 1)
            Image.fromarray(pixels).save(folder / name / f"{number:04}.png")
            words = "a tower" if number % 2 else "a box"
            lines.append({"image": f"{name}/{number:04}.png", "sentence": f" {words} {number}", "label": number > 0})
        write(folder / f"{name}.jsonl", lines)
    return folder


def write(file: Path, lines: list[Any]) -> None:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def source(splits: NotedSplits, name: str) -> Source:
    found = splits[name]
    assert isinstance(found, Source)
    return found


def corners(picture: Any) -> list[int]:
    """What stands in the three places of a grid."""
    return [int(picture[y, x, 0]) for y, x in ((50, 50), (50, 150), (150, 50))]


def test_train_and_dev_are_learned_from_in_all_orders_of_the_boxes(build: Build, corpus: Path) -> None:
    splits = build("nlvr", path=str(corpus))
    train, test = source(splits, "train"), source(splits, "test")
    assert list(splits) == ["train", "test"]
    assert len(train) == 6 * 6
    assert len(test) == 2
    orders = [corners(train[number].image) for number in range(6)]
    assert sorted(map(tuple, orders)) == sorted(
        [(10, 20, 30), (10, 30, 20), (20, 10, 30), (20, 30, 10), (30, 10, 20), (30, 20, 10)]
    )
    assert len({train[number].questions for number in range(6)}) == 1
    assert corners(test[0].image) == [10, 20, 30]
    question = test[1].questions[0]
    assert (question.text, question.answer, question.kind) == ("a tower 1", "true", "towers")
    assert test[0].questions[0].kind == "items"
    assert test[0].questions[0].answer == "false"
    assert splits.notes == (f"{corpus}: sentences in train: 6, test: 2.",)


def test_as_it_is(build: Build, corpus: Path) -> None:
    splits = build("nlvr", path=str(corpus), permute=False, layout="row")
    train = source(splits, "train")
    assert len(train) == 6
    assert np.asarray(train[0].image).shape == (100, 400, 3)


def test_what_is_held_out_is_never_of_test(build: Build, corpus: Path) -> None:
    splits = build("nlvr", path=str(corpus), validation=0.5, permute=False)
    train, held = source(splits, "train"), source(splits, "validation")
    keys = [{found[number].key for number in range(len(found))} for found in (train, held)]
    assert keys[0] | keys[1] == {
        f"{n}/{i:04}.png, {n}.jsonl:{i + 1}" for n, c in (("train", 4), ("dev", 2)) for i in range(c)
    }
    assert not keys[0] & keys[1]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", r"dev\.jsonl:1: not JSON"),
        ('{"image": "a.png", "sentence": "x"}', r"dev\.jsonl:1: a line must be"),
        ('{"image": "a.png", "sentence": "x", "label": "true"}', r"dev\.jsonl:1: a line must be"),
        ("[]", r"dev\.jsonl:1: a line must be"),
    ],
)
def test_lines_that_are_not_what_they_should_be(build: Build, corpus: Path, line: str, words: str) -> None:
    (corpus / "dev.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=words):
        build("nlvr", path=str(corpus))


def test_missing_files_and_broken_pictures(build: Build, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder: say where NLVR's train\.jsonl"):
        build("nlvr", path=str(tmp_path / "gone"))
    (corpus / "test" / "0000.png").write_bytes(b"no picture")
    Image.new("RGB", (8, 8)).save(corpus / "test" / "0001.png")
    test = source(build("nlvr", path=str(corpus)), "test")
    with pytest.raises(SampleError, match=r"test/0000\.png: the picture cannot be read .* test\.jsonl:1"):
        test[0]
    with pytest.raises(SampleError, match="the picture is 8 x 8 and not 400 x 100"):
        test[1]
    (corpus / "dev.jsonl").unlink()
    with pytest.raises(DataError, match=r"dev\.jsonl: no such file; NLVR has train\.jsonl, dev\.jsonl, test\.jsonl"):
        build("nlvr", path=str(corpus))


def test_the_real_corpus(build: Build, shared_data: Path) -> None:
    splits = build("nlvr", path=str(shared_data / "nlvr"))
    train, test = source(splits, "train"), source(splits, "test")
    assert (len(train), len(test)) == (6 * (1000 + 989), 990)
    answers = [test[number].questions[0].answer for number in range(0, 990)]
    assert answers.count("true") / 990 == pytest.approx(0.562, abs=0.001)
    assert np.asarray(train[0].image).shape == (208, 208, 3)
