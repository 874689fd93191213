"""Killed at random moments and resumed, a run ends with the very bits of a run that was never killed."""

import hashlib
import json
import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from tests.train.kills import last_tensors, run_with_kills
from tests.train.toy import Flow, Numbers, settings, train
from tuwen.core.errors import CheckpointError
from tuwen.train.events import Listener
from tuwen.train.lines import read_lines
from tuwen.train.listeners import LogFile


class Notes(Listener):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def on_note(self, text: str) -> None:
        self.notes.append(text)


pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


def training(run: Path, config: dict[str, Any], **options: Any) -> BaseProcess:
    """A process that begins or resumes a run (quickly, since what it needs is imported here already)."""
    keywords = {"resume": True, "listeners": [LogFile(run / "log.jsonl")], **options}
    return multiprocessing.get_context("fork").Process(target=train, args=(run, settings(**config)), kwargs=keywords)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({"accumulate": 2, "ema": 0.9, "epochs": 5.5, "steps": None}, {"workers": 2}),
        ({"optimizer": {"kind": "muon"}}, {"workers": 2, "source": Flow(Numbers(40))}),
    ],
    ids=["mixture", "stream"],
)
def test_killed_and_resumed_it_ends_with_the_same_bits(
    tmp_path: Path, config: dict[str, Any], options: dict[str, Any]
) -> None:
    config = {"save_every_steps": 7, "log_every": 1, **config}
    options = {"slow": 0.005, **options}
    train(tmp_path / "first", settings(**config | {"steps": 1, "epochs": None}))  # imports, once for all processes
    undisturbed = training(tmp_path / "undisturbed", config, **options)
    undisturbed.start()
    undisturbed.join()
    run = tmp_path / "killed"
    kills = run_with_kills(lambda: training(run, config, **options), run, kills=4, longest=0.5, seed=0)
    assert kills >= 3
    assert last_tensors(run) == last_tensors(tmp_path / "undisturbed")
    logs = [read_lines(folder / "log.jsonl") for folder in (tmp_path / "undisturbed", run)]
    assert [report["step"] for report in logs[1]] == [report["step"] for report in logs[0]]
    assert [report["losses"] for report in logs[1]] == [report["losses"] for report in logs[0]]
    assert read_lines(run / "skipped.jsonl") == read_lines(tmp_path / "undisturbed" / "skipped.jsonl")


def test_a_run_can_be_stopped_at_any_step_and_made_longer(tmp_path: Path) -> None:
    train(tmp_path / "whole", settings(steps=20))
    train(tmp_path / "cut", settings(steps=11))
    result = train(tmp_path / "cut", settings(steps=20), resume=True)
    assert result.step == 20
    plan = json.loads((tmp_path / "cut" / "plan.json").read_text())
    assert plan == [[0, 0.0, 11], [11, 0.55, 20]]
    again = train(tmp_path / "cut", settings(steps=20), resume=True)
    assert again.finished
    assert again.step == 20


def test_another_runs_settings_are_refused(tmp_path: Path) -> None:
    train(tmp_path, settings(steps=2))
    with pytest.raises(CheckpointError, match="holds a run already: go on with it by --resume"):
        train(tmp_path, settings(steps=2))
    with pytest.raises(CheckpointError, match=r"train.learning_rate: was 0.01, is 0.02\n.*train.seed: was 0, is 1"):
        train(tmp_path, settings(steps=2, learning_rate=0.02, seed=1), resume=True)


def test_data_that_grew_and_another_number_of_threads_are_noticed(tmp_path: Path) -> None:
    train(tmp_path, settings(steps=2), source=Numbers(40))
    with pytest.raises(CheckpointError, match="the number of samples: was 40, is 41"):
        train(tmp_path, settings(steps=4), source=Numbers(41), resume=True)
    state = next((tmp_path / "checkpoints").glob("*/state.json"))
    state.write_text(state.read_text().replace('"threads": ', '"threads": 9'))
    manifest = json.loads((state.parent / "manifest.json").read_text())
    manifest["files"]["state.json"] = {
        "bytes": state.stat().st_size,
        "sha256": hashlib.sha256(state.read_bytes()).hexdigest(),
    }
    (state.parent / "manifest.json").write_text(json.dumps(manifest))
    heard = Notes()
    train(tmp_path, settings(steps=4), source=Numbers(40), resume=True, listeners=[heard])
    assert any("differ in their last bits" in note and "9" in note for note in heard.notes)


def test_a_stream_is_resumed_with_its_number_of_workers(tmp_path: Path) -> None:
    train(tmp_path, settings(steps=2), source=Flow(Numbers(40)))
    with pytest.raises(CheckpointError, match="Set train.workers=1"):
        train(tmp_path, settings(steps=4), source=Flow(Numbers(40)), workers=2, resume=True)


def test_resuming_what_never_began_begins_it(tmp_path: Path) -> None:
    assert train(tmp_path, settings(steps=2), resume=True).finished
