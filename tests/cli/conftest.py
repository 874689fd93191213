"""The command line as a user meets it, on data and models small enough for a second."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuwen.cli import app

SMALL = (
    "train.minutes=null",
    "train.steps=2",
    "train.batch_size=6",
    "train.warmup=1",
    "train.precision=fp32",
    "train.ema=null",
    "image.size=16",
    "tokenizer.vocab_size=400",
    "model.image={kind: cnn, stem: 4, channels: [8], blocks: [1]}",
    "model.text={width: 16, depth: 1, heads: 2}",
    "model.fusion={width: 16, depth: 1, heads: 2}",
    "model.language={width: 16, depth: 1, heads: 2}",
    "model.embedding=8",
    "tasks.caption.max_tokens=4",
    "tasks.vqa.max_tokens=4",
)
"""Settings that make `recipes/pretrain.yaml` a matter of a second."""

COLOURS = {"red": "红色", "green": "绿色", "blue": "蓝色"}


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    status: object
    out: str
    err: str

    @property
    def line(self) -> str:
        """All that went to the screen, on one line, however wide that was."""
        return " ".join((self.out + self.err).split())


def refused(said: Said, *words: str) -> None:
    """The command failed with a message that has these words, and no traceback."""
    assert said.status == 1, said.line
    assert "Traceback" not in said.line
    for word in words:
        assert word in said.line


@pytest.fixture
def tuwen(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`tuwen("data", "check", ...)` runs a command in this process; an unexpected error is not caught."""

    def run(*words: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            app.main([str(word) for word in words])
        said = capsys.readouterr()
        return Said(stopped.value.code, said.out, said.err)

    return run


@pytest.fixture
def small() -> list[str]:
    """Options that make a training take a second."""
    return [word for setting in SMALL for word in ("--set", setting)]


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Path]:
    """`photos(12)` writes so many pictures of one colour each, of three by turns, and returns their folder."""

    def make(count: int, folder: str = "photos", classes: bool = False) -> Path:
        rng = np.random.default_rng(0)
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = rng.integers(0, 60, (20, 24, 3), np.uint8)
            pixels[..., number % 3] += 180
            name = f"{list(COLOURS)[number % 3]}/{number}.png" if classes else f"{number}.png"
            (place / name).parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(place / name)
        return place

    return make


@pytest.fixture
def captioned(photos: Callable[..., Path]) -> Callable[..., Path]:
    """`captioned(12)`: pictures with a caption in English and one in Chinese, in `captions.csv`."""

    def make(count: int = 12) -> Path:
        folder = photos(count)
        colours = [list(COLOURS)[number % 3] for number in range(count)]
        rows = [(f"{number}.png", f"number {number} is {name}") for number, name in enumerate(colours)]
        rows += [(f"{number}.png", f"{number}号是{COLOURS[name]}的") for number, name in enumerate(colours)]
        return table(folder, ("image", "caption"), rows)

    return make


@pytest.fixture
def asked(photos: Callable[..., Path]) -> Callable[..., Path]:
    """`asked(12)`: pictures with a question and its answer in each language, in `captions.csv`."""

    def make(count: int = 12) -> Path:
        folder = photos(count)
        rows = []
        for number in range(count):
            english, chinese = list(COLOURS.items())[number % 3]
            rows += [(f"{number}.png", "what colour is it?", english), (f"{number}.png", "是什么颜色？", chinese)]
        return table(folder, ("image", "question", "answer"), rows)

    return make


def table(folder: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    """Write `captions.csv` into a folder, and return the folder."""
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return folder
