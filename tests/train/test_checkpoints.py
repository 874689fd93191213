"""Checkpoints are whole or are not there."""

import errno
import json
import multiprocessing
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from tuwen.core.errors import CheckpointError, TrainingError
from tuwen.train import checkpoints
from tuwen.train.checkpoints import Checkpoints, verify, write_whole


def store(folder: Path, keep: int = 2) -> tuple[Checkpoints, list[str]]:
    notes: list[str] = []
    return Checkpoints(folder, keep, notes.append), notes


def tensors(value: float) -> dict[str, dict[str, torch.Tensor]]:
    return {"model": {"weight": torch.full((3, 2), value)}, "optimizer": {"0/weight/step": torch.tensor(value)}}


def save(checkpoint: Checkpoints, *steps: int) -> None:
    for step in steps:
        checkpoint.save(step, tensors(step), {"step": step})


def test_what_was_saved_comes_back_and_the_last_few_are_kept(tmp_path: Path) -> None:
    checkpoint, notes = store(tmp_path / "checkpoints", keep=2)
    assert checkpoint.latest() is None
    save(checkpoint, 5, 10, 100_000_000)
    assert [path.name for path in checkpoint.all()] == ["step-00000010", "step-100000000"]
    saved = checkpoint.latest()
    assert saved is not None
    assert saved.state == {"step": 100_000_000}
    assert torch.equal(saved.tensors("model")["weight"], torch.full((3, 2), 1e8))
    assert saved.tensors("ema") == {}
    assert notes == []


def test_everything_in_it_is_json_or_safetensors(tmp_path: Path) -> None:
    checkpoint, _ = store(tmp_path)
    save(checkpoint, 1)
    files = sorted(file.name for file in checkpoint.all()[0].iterdir())
    assert files == ["manifest.json", "model.safetensors", "optimizer.safetensors", "state.json"]


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a bit is flipped": (lambda path: flip(path / "model.safetensors"), "model.safetensors is not what was written"),
    "a file is cut": (
        lambda path: (path / "optimizer.safetensors").write_bytes(b"half"),
        "optimizer.safetensors has 4 bytes instead of",
    ),
    "a file is gone": (lambda path: (path / "state.json").unlink(), "state.json is missing"),
    "the list is gone": (lambda path: (path / "manifest.json").unlink(), "manifest.json is missing"),
    "the list is cut": (
        lambda path: (path / "manifest.json").write_text('{"files": {'),
        "manifest.json cannot be read",
    ),
    "the list is none": (lambda path: (path / "manifest.json").write_text("[]"), "manifest.json cannot be read"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_passed_over_for_the_one_before(tmp_path: Path, damage: str) -> None:
    checkpoint, notes = store(tmp_path)
    save(checkpoint, 1, 2)
    apply, fault = DAMAGES[damage]
    apply(tmp_path / "step-00000002")
    saved = checkpoint.latest()
    assert saved is not None
    assert saved.state == {"step": 1}
    assert notes == [f"passing over the checkpoint {tmp_path / 'step-00000002'}: {verify(tmp_path / 'step-00000002')}"]
    assert fault in notes[0]


def test_if_none_is_whole_it_does_not_silently_begin_anew(tmp_path: Path) -> None:
    checkpoint, _ = store(tmp_path)
    save(checkpoint, 1)
    flip(tmp_path / "step-00000001" / "state.json")
    with pytest.raises(CheckpointError, match="no checkpoint in .* is whole"):
        checkpoint.latest()


class Killed(BaseException):
    """Stands for `kill -9`: nothing handles it."""


@pytest.mark.parametrize("moment", range(14))
def test_a_kill_between_any_two_actions_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    checkpoint, _ = store(tmp_path, keep=1)
    save(checkpoint, 1)
    actions = 0

    def counted(action: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **keywords: Any) -> Any:
            nonlocal actions
            actions += 1
            if actions == moment + 1:
                raise Killed
            return action(*arguments, **keywords)

        return wrapper

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_file", counted(checkpoints.save_file))
        patch.setattr(checkpoints, "_sync", counted(checkpoints._sync))
        patch.setattr(checkpoints.shutil, "rmtree", counted(checkpoints.shutil.rmtree))
        for name in ("rename", "write_text", "mkdir"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        with suppress(Killed):  # some moments are after the last action
            checkpoint.save(2, tensors(2), {"step": 2})
    found = checkpoint.latest()
    assert found is not None
    assert found.state["step"] in (1, 2)
    save(checkpoint, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000003"]


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left"), SafetensorError("I/O error: No space left on device (os error 28)")],
)
def test_a_full_disk_loses_nothing_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    checkpoint, _ = store(tmp_path)
    save(checkpoint, 1, 2)

    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(
        TrainingError, match="checkpoint of step 3 could not be written; the last whole .*00002: the disk "
    ):
        save(checkpoint, 3)
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001", "step-00000002"]
    assert all(verify(path) is None for path in checkpoint.all())


def save_with_little_room(folder: Path, answer: Any) -> None:
    """In a process whose files may have 4 kB at most."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    try:
        Checkpoints(folder, 2, print).save(2, {"model": {"weight": torch.zeros(10_000)}}, {"step": 2})
    except TrainingError as error:
        answer.send(str(error))


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_write_that_fails_half_way(tmp_path: Path) -> None:
    checkpoint, _ = store(tmp_path)
    save(checkpoint, 1)
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=save_with_little_room, args=(tmp_path, there))
    process.start()
    process.join()
    assert "the checkpoint of step 2 could not be written; the last whole checkpoint is" in here.recv()
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_a_small_file_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "plan.json"
    write_whole(file, "[1]")

    def killed(path: Path) -> None:
        raise Killed

    monkeypatch.setattr(checkpoints, "_sync", killed)
    with pytest.raises(Killed):
        write_whole(file, "[1, 2]")
    assert json.loads(file.read_text()) == [1]


def test_a_damaged_one_of_a_later_step_goes_and_not_what_was_just_written(tmp_path: Path) -> None:
    checkpoint, _ = store(tmp_path, keep=2)
    save(checkpoint, 100, 200)
    (tmp_path / "step-00000200" / "state.json").write_text("{}", encoding="utf-8")
    (tmp_path / "step-00000100-copy").mkdir()
    again, notes = store(tmp_path, keep=2)
    saved = again.latest()
    assert saved is not None
    assert (saved.path.name, again.whole, len(notes)) == ("step-00000100", saved.path, 1)
    assert again.save(150, tensors(150), {"step": 150}) == again.whole == tmp_path / "step-00000150"
    assert [path.name for path in again.all()] == ["step-00000100", "step-00000150"]
    latest = again.latest()
    assert latest is not None
    assert latest.state == {"step": 150}
