"""`tuwen sweep`, with real trainings in processes of their own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Said

Run = Callable[..., Said]

RECIPE = """\
data: {kind: scenes, size: 32, objects: [1, 1], train_scenes: 40, test_scenes: 6, holdout: 0}
image: {size: 32}
tokenizer: {vocab_size: 300, sample: 50}
model: {image: {kind: cnn, stem: 4, channels: [8], blocks: [1]}, text: {kind: gru, width: 8}, embedding: 8}
objectives: {contrastive: {}}
tasks: {retrieve: {candidates: 6}}
train: {steps: 1, batch_size: 4, precision: fp32, compile: false}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    return tmp_path / "tiny.yaml"


def test_the_help_shows_a_grid(tuwen: Run) -> None:
    said = tuwen("sweep", "--help")
    assert '--grid "model.fusion.kind=[add,concat]" --seeds' in said.line
    assert "'model.fusion.kind=[add,concat]'" in said.line


def test_a_run_fails_and_the_other_is_compared(tuwen: Run, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    words = ("--grid", "objectives.contrastive.stream=[nothing,retrieve]", "--out", out, "--set", "train.log_every=1")
    said = tuwen("sweep", recipe, *words)
    assert said.status == 1
    assert "1/2 nothing, seed 0: objectives.contrastive: no position would carry a loss" in said.line
    assert "2/2 retrieve, seed 0: trained: tasks.retrieve.image_to_text_r1" in said.line
    assert f"picture: {out / 'sweep.png'}" in said.line
    content = json.loads((out / "sweep.json").read_text())
    assert [run["error"] is None for run in content["runs"]] == [False, True]
    again = tuwen("sweep", recipe, *words, "--measure", "tasks.retrieve.text_to_image_r1")
    assert "2/2 retrieve, seed 0: had ended before: tasks.retrieve.text_to_image_r1" in again.line


def test_where_all_runs_fail_no_picture_is_named(tuwen: Run, recipe: Path, tmp_path: Path) -> None:
    said = tuwen("sweep", recipe, "--grid", "objectives.contrastive.stream=[nothing]", "--out", tmp_path / "sweep")
    assert said.status == 1
    assert f"Table: {tmp_path / 'sweep' / 'sweep.md'}" in said.line
    assert "picture" not in said.line
    assert not (tmp_path / "sweep" / "sweep.png").exists()


def test_wrong_calls_are_messages(tuwen: Run, recipe: Path) -> None:
    for words, message in {
        ("--grid", "train.steps"): "--grid train.steps: write a key and a value",
        ("--grid", "train.steps=[1]", "--seeds", "a"): "seeds.0: ",
        ("--grid", "model.text.kind=gru"): "the axis 'model.text.kind' has gru, not several values: write a list",
        ("--grid", "train.steps=[1,1]"): "sweep: 1, seed 0 is the same run as 1, seed 0: take one out",
        ("--grid", "seed=[1]", "--grid", "seed=[2]"): "--grid seed: it is there twice; write all of its values in one",
        ("--seeds", "0,1"): "tiny.yaml is a recipe: say what to vary with --grid",
    }.items():
        said = tuwen("sweep", recipe, *words)
        assert (said.status, message in said.line) == (1, True), said.line
