"""Two processes that have half of the weights each compute what one process computes."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from tests.processes import in_processes
from tests.train.test_learner import Sometimes, batches, totals
from tests.train.toy import ToyStep, settings
from tuwen.core.batch import Batch
from tuwen.core.errors import RecipeError, TrainingError
from tuwen.core.loss import Loss
from tuwen.train.learner import Learner
from tuwen.train.processes import Team
from tuwen.train.sharding import whole

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


class Nothing(ToyStep):
    """Finds nothing in any batch."""

    def forward(self, batch: Batch) -> dict[str, Loss]:
        return {}


def learner(step: ToyStep, rank: int, shard: bool, **changes: Any) -> Learner:
    """In one of two processes that know each other."""
    there = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}  # asked for, but they have met already
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", **there)
    AcceleratorState._reset_state(reset_partial_state=True)  # that of the process which this one was forked from
    return Learner(step, settings(shard=shard, **changes), Team(Accelerator(cpu=True)), "fp32")


def gradients(shard: bool, rank: int) -> dict[str, list[float]]:
    """Of two batches, of which the first process has one and the second the other, in only one of which are tokens."""
    parts = sorted(batches(4, 6), key=lambda batch: Sometimes().counts(batch).get("tokens", 0.0))[::5]
    step = Sometimes(dropout=0.0)
    torch.nn.init.ones_(step.scale)  # it begins at 0, where words have no gradient
    together = {name: sum(step.counts(part).get(name, 0.0) for part in parts) for name in step.weights}
    assert "tokens" not in step.counts(parts[0])
    learner(step, rank, shard).gradients([parts[rank]], together)
    return {name: whole(parameter.grad).tolist() for name, parameter in step.named_parameters()}


def test_gradients_are_summed_also_of_what_only_one_process_uses(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "usual").mkdir()
    shared = in_processes(2, partial(gradients, True), tmp_path / "shared")
    usual = in_processes(2, partial(gradients, False), tmp_path / "usual")
    assert shared[0] == shared[1]
    assert any(value for row in shared[0]["words.weight"] for value in row)
    for name, values in usual[0].items():
        torch.testing.assert_close(torch.tensor(shared[0][name]), torch.tensor(values), rtol=1e-5, atol=1e-7)


def memory(rank: int) -> tuple[int, int, dict[str, list[int]]]:
    """Numbers that a process keeps of weights and of the optimizer's, and the shapes of what a checkpoint has."""
    step = ToyStep(dropout=0.0)
    trained = learner(step, rank, shard=True)
    parts = batches(4, 1)
    trained.gradients(parts, totals(step, parts))
    trained.update(0.1, 0)
    entries = [entry for optimizer in trained.optimizers for entry in optimizer.state.values()]
    states = [value for entry in entries for value in entry.values()]
    kept = [sum(each.to_local().numel() for each in tensors if each.ndim) for tensors in (step.parameters(), states)]
    return *kept, {name: list(value.shape) for name, value in trained.tensors()["model"].items()}


def test_each_process_keeps_about_half_and_checkpoints_are_whole(tmp_path: Path) -> None:
    step = ToyStep()
    total = sum(parameter.numel() for parameter in step.parameters() if parameter.ndim)
    (first, states, shapes), (second, *_) = in_processes(2, memory, tmp_path)
    assert first + second == total
    assert abs(first - second) < 0.05 * total
    assert states == 2 * first
    assert shapes == {name: list(parameter.shape) for name, parameter in step.named_parameters()}


def refused(rank: int) -> list[str]:
    """What is said where sharding cannot be."""
    said = []
    try:
        learner(ToyStep(), rank, shard=True, optimizer={"kind": "muon"})
    except RecipeError as error:
        said.append(str(error))
    try:
        learner(Nothing(), rank, shard=True).gradients(batches(4, 1), {"mean": 4.0, "tokens": 1.0})
    except TrainingError as error:
        said.append(str(error))
    return said


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    muon, empty = in_processes(2, refused, tmp_path)[0]
    assert "train.optimizer muon: needs whole matrices" in muon
    assert "has nothing for any objective" in empty
    with pytest.raises(ValueError, match="gradient_cache: embeds outside of the pass"):
        settings(shard=True, gradient_cache=True, accumulate=2)
