"""The examples run, small, as a person would run them."""

import importlib.util
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
SHORT = ("train.batch_size=4", "train.precision=fp32", "tokenizer.sample=100", "evaluate.samples=4", "train.workers=0")


def run(name: str, *words: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an example's `main` with a command line."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, words)])
    module.main()


def sets(*settings: str) -> list[str]:
    return [word for setting in (*SHORT, *settings) for word in ("--set", setting)]


def test_each_example_is_listed_and_tested() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    tested = Path(__file__).read_text(encoding="utf-8")
    for file in EXAMPLES.glob("*.py"):
        assert f"]({file.name})" in listed
        assert f'run("{file.stem}"' in tested


def test_overview(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("overview", tiny_run, tmp_path / "overview.png", monkeypatch=monkeypatch)
    with Image.open(tmp_path / "overview.png") as picture:
        assert picture.width > 1000


def test_draw_scenes_and_search_them(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("draw_scenes", tmp_path, "--count", 6, monkeypatch=monkeypatch)
    table = (tmp_path / "captions.csv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "image,caption_en,caption_zh"
    assert len(table) == 7
    assert len(list(tmp_path.glob("*.png"))) == 6
    capsys.readouterr()
    run("search", tiny_run, tmp_path, "a red circle", "红色的圆形", "--best", 2, monkeypatch=monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["a red circle", "红色的圆形"]
    assert len(lines) == 6
    scores = [float(line.split()[0]) for line in lines if line.startswith(" ")]
    assert scores[0] >= scores[1]
    assert scores[2] >= scores[3]


def test_search_says_that_there_is_no_picture(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run("search", tiny_run, tmp_path, "a cat", monkeypatch=monkeypatch)
    assert "there is no picture in" in capsys.readouterr().err


def test_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    few = sets("train.minutes=null", "train.steps=2", "data.train_scenes=40", "data.test_scenes=4")
    run("train", tmp_path / "run", *few, monkeypatch=monkeypatch)
    said = capsys.readouterr().out
    assert "step 2 of 2: answering" in said
    assert said.count("is described as") == 3
    assert (tmp_path / "run" / "report.html").exists()
