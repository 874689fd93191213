"""The runs of an experiment are trained once, and known by their settings; their training is played here."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from tuwen.cli.app import build_app
from tuwen.core.errors import CheckpointError
from tuwen.experiments import runs
from tuwen.experiments.runs import Interrupted, refuse_other_settings, trained
from tuwen.recipe.library import RUN_RECIPE
from tuwen.recipe.model_folder import MANIFEST
from tuwen.recipe.resolve import Resolved
from tuwen.recipe.schema import Recipe, load_recipe


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """`train(True)`: from now on trainings come to their end, and leave a run whose recipe fitted its data."""

    def play(ends: bool) -> None:
        def pretrain(resolved: Resolved[Recipe], run: Path, **how: Any) -> SimpleNamespace:
            run.mkdir(parents=True, exist_ok=True)
            fitted = resolved.to_yaml(origins=False).replace("samples: 2000", "samples: 7")
            (run / RUN_RECIPE).write_text(fitted, encoding="utf-8")
            if ends:
                (run / MANIFEST).write_text("{}")
                (run / "metrics.json").write_text(json.dumps({"seed": resolved.recipe.seed}))
            return SimpleNamespace(result=SimpleNamespace(finished=ends, step=20))

        monkeypatch.setattr(runs, "pretrain", pretrain)

    return play


def recipe(*sets: str) -> Resolved[Recipe]:
    return load_recipe("frozen", sets=sets)


def test_what_has_ended_is_read_and_what_was_cut_goes_on(tmp_path: Path, train: Callable[[bool], None]) -> None:
    train(False)
    said: list[str] = []
    with pytest.raises(Interrupted, match=r"one: interrupted at step 20\."):
        trained(tmp_path, "one", recipe("seed=3"), say=said.append)
    train(True)
    for _ in range(2):
        refuse_other_settings(tmp_path, {"one": recipe("seed=3")})
        assert trained(tmp_path, "one", recipe("seed=3"), say=said.append) == {"seed": 3}
    assert said == ["one: training"] * 2


@pytest.mark.parametrize("ends", [True, False])
def test_a_run_with_other_settings_is_refused(tmp_path: Path, train: Callable[[bool], None], ends: bool) -> None:
    train(ends)
    with contextlib.suppress(Interrupted):
        trained(tmp_path, "one", recipe())
    refuse_other_settings(tmp_path, {"one": recipe("start.run=moved"), "two": recipe()})
    with pytest.raises(CheckpointError) as refused:
        refuse_other_settings(tmp_path, {"one": recipe("train.steps=3", "tasks.few_shot_vqa=null")})
    lines = str(refused.value).splitlines()
    assert lines[0] == f"{tmp_path / 'one'} was made with other settings:"
    assert any(line.startswith("  train.steps: was ") and line.endswith(", is 3") for line in lines)
    assert "  tasks.few_shot_vqa.kind: was 'few_shot_vqa', is None" in lines
    assert lines[-1].endswith(f"choose another --out, or delete {tmp_path / 'one'}.")


def test_a_run_from_before_is_known_by_its_own_recipe(tmp_path: Path, train: Callable[[bool], None]) -> None:
    train(True)
    trained(tmp_path, "one", recipe("evaluate.samples=7"))
    (tmp_path / "recipes" / "one.yaml").unlink()
    refuse_other_settings(tmp_path, {"one": recipe("evaluate.samples=7")})
    with pytest.raises(CheckpointError, match="seed: was 0, is 1"):
        refuse_other_settings(tmp_path, {"one": recipe("evaluate.samples=7", "seed=1")})


def test_an_interrupted_experiment_says_how_to_go_on(tmp_path: Path, train: Callable[[bool], None]) -> None:
    train(False)
    words = ["experiment", "frozen", "--out", str(tmp_path), "--quick", "--no-controls"]
    words += ["--set", "tasks.fast_binding.ways=[2, 5]"]
    done = CliRunner().invoke(build_app(), words)
    assert done.exit_code == 130, done.output
    assert "language: interrupted at step 20. Go on with: " in done.stdout
    again = f"experiment frozen --out {tmp_path} --quick --no-controls --set 'tasks.fast_binding.ways=[2, 5]'"
    assert done.stdout.rstrip().endswith(again)
