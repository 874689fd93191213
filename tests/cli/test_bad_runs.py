"""Runs and models that are missing, half-written or damaged: told in a message, and never overwritten."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Said, refused

Run = Callable[..., Said]
Make = Callable[..., Path]


def test_a_run_is_neither_overwritten_nor_changed(
    tuwen: Run, small: list[str], captioned: Make, tmp_path: Path
) -> None:
    folder, run = captioned(), tmp_path / "run"
    assert tuwen("pretrain", "--data", folder, "--out", run, *small).status == 0
    refused(tuwen("pretrain", "--data", folder, "--out", run, *small), "holds a run already", "--resume")
    other = tuwen("pretrain", run, "--resume", "--set", "train.learning_rate=1", "--set", "image.resize=pad")
    refused(other, "image.resize: was 'squash', is 'pad'", "train.learning_rate: was 0.005, is 1.0")
    longer = tuwen("pretrain", run, "--resume", "--set", "train.steps=3")
    assert (longer.status, "planned for 3 steps" in longer.line) == (0, True), longer.line


def test_models_that_cannot_be_used(tuwen: Run, small: list[str], captioned: Make, tmp_path: Path) -> None:
    folder, run = captioned(), tmp_path / "run"
    picture = folder / "0.png"
    refused(tuwen("caption", run, picture), "run: there is no such folder of a trained model", "tuwen quickstart")
    refused(tuwen("caption", folder, picture), "photos: not the folder of a run")
    assert tuwen("pretrain", "--data", folder, "--out", run, *small).status == 0
    refused(tuwen("caption", run, folder / "nope.png"), "nope.png", "no such file")
    (folder / "0.png").write_bytes(b"")
    refused(tuwen("caption", run, picture), "0.png: the file is empty")
    weights = run / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    refused(tuwen("caption", run, folder / "1.png"), "model.safetensors: 1000 bytes where", "half-written")
    (run / "manifest.json").unlink()
    refused(tuwen("caption", run, folder / "1.png"), "half-written (manifest.json is missing)", "--resume")


def test_resuming_where_there_is_nothing_begins(tuwen: Run, small: list[str], captioned: Make, tmp_path: Path) -> None:
    said = tuwen("pretrain", "--data", captioned(), "--out", tmp_path / "run", "--resume", *small)
    assert (said.status, "there is no checkpoint" in said.line) == (0, True), said.line


def test_a_checkpoint_that_is_damaged_is_passed_over(
    tuwen: Run, small: list[str], captioned: Make, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    often = ("--set", "train.steps=4", "--set", "train.save_every_seconds=0.001", "--set", "train.keep=3")
    assert tuwen("pretrain", "--data", captioned(), "--out", run, *small, *often).status == 0
    *_, earlier, last = sorted((run / "checkpoints").iterdir())
    halve(last / "optimizer.safetensors")
    said = tuwen("pretrain", run, "--resume")
    assert said.status == 0, said.line
    assert f"passing over the checkpoint {last}: optimizer.safetensors has" in said.line
    assert f"going on from step {int(earlier.name[5:])}" in said.line
    for checkpoint in (run / "checkpoints").iterdir():
        halve(checkpoint / "model.safetensors")
    refused(tuwen("pretrain", run, "--resume"), f"no checkpoint in {run / 'checkpoints'} is whole", "begin anew")


def halve(file: Path) -> None:
    """Leave of a file what a machine that lost its power may leave."""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("manifest.json", "damaged"),
        ("model.safetensors", "half-written"),
        ("tokenizer.json", "half-written"),
        ("preprocessing.json", "half-written"),
        ("vocabulary.json", "half-written"),
        ("recipe.yaml", "half-written"),
    ],
)
def test_every_file_of_a_model_is_checked(tuwen: Run, tiny_run: Path, tmp_path: Path, name: str, told: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_run, copy)
    halve(copy / name)
    refused(tuwen("caption", copy, "scene.png"), str(copy / name), told)
    (copy / name).unlink()
    refused(tuwen("caption", copy, "scene.png"), name, "missing")


def test_a_changed_byte_is_noticed(tuwen: Run, tiny_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_run, copy)
    recipe = copy / "recipe.yaml"
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("size: 64", "size: 65"), encoding="utf-8")
    refused(tuwen("caption", copy, "scene.png"), "recipe.yaml: its SHA-256 is not the one that was saved")


def test_the_page_of_a_run_that_has_no_figures(tuwen: Run, tiny_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    refused(tuwen("report", copy), "copy: no such folder of a run")
    shutil.copytree(tiny_run, copy)
    for name in ("metrics.json", "examples.json"):
        halve(copy / name)
        refused(tuwen("report", copy), f"{copy / name}", f"tuwen evaluate {copy}")
        shutil.copy(tiny_run / name, copy / name)
    (copy / "metrics.json").unlink()
    refused(tuwen("report", copy), "metrics.json is missing", f"tuwen evaluate {copy}")
    assert json.loads((tiny_run / "metrics.json").read_text(encoding="utf-8")), "the run itself is whole"


def test_evaluating_where_the_data_is_gone(tuwen: Run, small: list[str], captioned: Make, tmp_path: Path) -> None:
    folder, run = captioned(), tmp_path / "run"
    assert tuwen("pretrain", "--data", folder, "--out", run, *small).status == 0
    shutil.rmtree(folder)
    refused(tuwen("evaluate", run), f"{folder}: no such folder of pictures")
    refused(tuwen("evaluate", tmp_path / "gone"), "gone: there is no such folder of a trained model")
