"""What a machine can do, and the sentences about it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tuwen.train import doctor
from tuwen.train.doctor import Health, examine

WELL = Health(
    machine={"processor": "p", "cores": 8, "accelerator": "1 × card"},
    rates={"fp32": 1e12, "bf16": 8e12},
    bandwidth=1e10,
    precision="bf16",
    compiles=None,
    workers=7,
    free_disk=2**40,
)


def test_a_machine_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SECONDS", 0.01)
    monkeypatch.setattr(doctor, "SIDE", 64)
    monkeypatch.setattr(doctor, "cannot_compile", lambda device: "no compiler")
    health = examine(torch.device("cpu"), tmp_path)
    assert all(1e6 < rate < 1e15 for rate in health.rates.values())
    assert 1e6 < health.bandwidth < 1e13
    assert health.precision in ("bf16", "fp32")
    assert health.workers == 0
    assert any("no compiler" in sentence for sentence in health.advice)


def test_what_it_means() -> None:
    assert WELL.advice == [
        "bf16 is 8.0 times as fast as fp32: train.precision=auto computes in bf16.",
        "7 processes prepare data; where training waits for data, give it more cores.",
    ]
    poor = replace(WELL, machine={"cores": 1}, compiles="no compiler", free_disk=2**30)
    said = " ".join(poor.advice)
    assert all(words in said for words in ("no GPU", "share the one core", "no compiler", "1.0 GiB", "train.keep=1"))
