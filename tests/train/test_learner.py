"""Gradients do not depend on how the samples are cut into batches and processes."""

import multiprocessing
import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from tests.train.toy import Numbers, ToyStep, loader, settings, train
from tuwen.core.batch import Batch
from tuwen.core.errors import CheckpointError
from tuwen.core.loss import Loss
from tuwen.train.checkpoints import Checkpoints
from tuwen.train.learner import Learner, _laid_out
from tuwen.train.processes import Team


def batches(batch_size: int, number: int) -> list[Batch]:
    ahead = loader(settings(batch_size=batch_size)).iterate()
    return [next(ahead).batch for _ in range(number)]


def learner(step: nn.Module | None = None, **changes: Any) -> Learner:
    team = Team(Accelerator(cpu=True))
    return Learner(step or ToyStep(dropout=0.0), settings(**changes), team, "fp32")


def totals(step: ToyStep, parts: Sequence[Batch]) -> dict[str, float]:
    return {name: sum(step.counts(batch)[name] for batch in parts) for name in step.weights}


def gradients(parts: Sequence[Batch]) -> dict[str, torch.Tensor]:
    step = ToyStep(dropout=0.0)
    learner(step).gradients(parts, totals(step, parts))
    return {name: parameter.grad for name, parameter in step.named_parameters()}


def test_the_gradient_is_that_of_the_weighted_means() -> None:
    (batch,) = batches(12, 1)
    step = ToyStep(dropout=0.0)
    losses = step(batch)
    (2.0 * losses["mean"].mean + 1.0 * losses["tokens"].mean).backward()
    expected = {name: parameter.grad for name, parameter in step.named_parameters()}
    torch.testing.assert_close(gradients([batch]), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("pieces", [2, 3, 6])
def test_accumulation_equals_one_large_batch(pieces: int) -> None:
    whole = gradients(batches(12, 1))
    parts = batches(12 // pieces, pieces)
    lengths = {int(part.texts["caption"].attention_mask.sum()) for part in parts}
    assert len(lengths) > 1, "the batches should have unequally many tokens"
    torch.testing.assert_close(gradients(parts), whole, rtol=1e-6, atol=1e-7)


class Sometimes(ToyStep):
    """Its objective of tokens finds items only in some batches."""

    def counts(self, batch: Batch) -> dict[str, float]:
        counts = super().counts(batch)
        return counts if counts["tokens"] > 13 else {"mean": counts["mean"]}

    def forward(self, batch: Batch) -> dict[str, Loss]:
        losses = super().forward(batch)
        return {name: losses[name] for name in self.counts(batch)}


def test_an_objective_may_find_nothing_in_a_batch() -> None:
    parts = batches(4, 6)
    step = Sometimes(dropout=0.0)
    found = [step.counts(part) for part in parts]
    assert 0 < sum("tokens" in counts for counts in found) < 6
    together = {name: sum(counts.get(name, 0.0) for counts in found) for name in step.weights}
    losses = learner(step).gradients(parts, together)
    assert [sorted(each) for each in losses] == [sorted(counts) for counts in found]
    gradient = step.words.weight.grad
    alone = Sometimes(dropout=0.0)
    (sum(alone(part)["tokens"].sum for part in parts if "tokens" in alone.counts(part)) / together["tokens"]).backward()
    torch.testing.assert_close(gradient, alone.words.weight.grad, rtol=1e-6, atol=1e-7)


def in_process(rank: int, world: int, port: int, run: Path, config: dict[str, Any], answer: Any) -> None:
    """One of several processes that train together, as `accelerate launch` would start it."""
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    AcceleratorState._reset_state(reset_partial_state=True)  # the parent's, in which there is but one process
    step = ToyStep(dropout=0.0)
    train(run, settings(**config), step=step, resume=True, source=Numbers(12))
    answer.send({name: value.tolist() for name, value in step.state_dict().items()})
    if world > 1:
        torch.distributed.destroy_process_group()


def together(world: int, run: Path, config: dict[str, Any]) -> list[dict[str, list[float]]]:
    """The weights with which each of several processes ends."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    context = multiprocessing.get_context("fork")
    pipes = [multiprocessing.Pipe(duplex=False) for _ in range(world)]
    processes = [
        context.Process(target=in_process, args=(rank, world, port, run, config, pipes[rank][1]))
        for rank in range(world)
    ]
    for process in processes:
        process.start()
    weights = [here.recv() for here, _ in pipes]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * world
    return weights


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_two_processes_equal_one_and_resume_exactly(tmp_path: Path) -> None:
    config = {"steps": 6, "save_every_steps": 3, "optimizer": {"kind": "adamw", "eps": 1e-3}}
    (one,) = together(1, tmp_path / "one", {"batch_size": 8, **config})
    two = together(2, tmp_path / "two", {"batch_size": 4, **config})
    assert two[0] == two[1]
    for name, values in one.items():
        torch.testing.assert_close(torch.tensor(two[0][name]), torch.tensor(values), rtol=1e-5, atol=1e-6)
    shutil.rmtree(tmp_path / "two" / "checkpoints" / "step-00000006")
    assert together(2, tmp_path / "two", {"batch_size": 4, **config}) == two


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_two_processes_that_share_the_weights_out_equal_one_and_resume(tmp_path: Path) -> None:
    config = {"steps": 6, "save_every_steps": 3, "optimizer": {"kind": "adamw", "eps": 1e-3}, "ema": 0.9}
    (one,) = together(1, tmp_path / "one", {"batch_size": 8, **config})
    two = together(2, tmp_path / "two", {"batch_size": 4, "shard": True, **config})
    assert two[0] == two[1]
    for name, values in one.items():
        torch.testing.assert_close(torch.tensor(two[0][name]), torch.tensor(values), rtol=1e-5, atol=1e-6)
    shutil.rmtree(tmp_path / "two" / "checkpoints" / "step-00000006")
    assert together(2, tmp_path / "two", {"batch_size": 4, "shard": True, **config}) == two


def test_the_average_of_the_weights_follows_them_slowly() -> None:
    step = ToyStep()
    trained = learner(step, ema=0.75)
    before = step.words.weight.detach().clone()
    with torch.no_grad():
        step.words.weight += 1.0
    for parameter in step.parameters():
        parameter.grad = torch.zeros_like(parameter)
    trained.update(0.0, steps_done=0)  # a memory of 1/10 at first
    trained.update(0.0, steps_done=1000)  # then of 3/4
    trained.use_average()
    torch.testing.assert_close(step.words.weight.detach(), before + 0.9 + 0.25 * 0.1)


def test_tied_weights_and_all_states_come_back(tmp_path: Path) -> None:
    class Tied(ToyStep):
        def __init__(self) -> None:
            super().__init__(dropout=0.0)
            self.head = nn.Linear(16, 16, bias=False)
            self.head.weight = self.words.weight
            self.register_buffer("seen", torch.tensor(3.0))
            self.register_buffer("scratch", torch.tensor(4.0), persistent=False)

    first = learner(Tied(), ema=0.9)
    parts = batches(4, 2)
    first.gradients(parts, totals(first.module, parts))
    first.update(0.1, 0)
    files = first.tensors()
    assert "seen" in files["model"]
    assert "scratch" not in files["model"]
    assert "head.weight" not in files["model"]
    checkpoint = Checkpoints(tmp_path, 1, print)
    checkpoint.save(1, files, {"step": 1})
    second = learner(Tied(), ema=0.9)
    second.load(checkpoint.latest())
    torch.testing.assert_close(second.tensors(), files, rtol=0, atol=0)
    assert second.module.head.weight is second.module.words.weight


def test_another_models_checkpoint_is_refused(tmp_path: Path) -> None:
    class Wider(ToyStep):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(16, 8)

    class More(ToyStep):
        def __init__(self) -> None:
            super().__init__()
            self.more = nn.Linear(1, 1)

    checkpoint = Checkpoints(tmp_path, 1, print)
    checkpoint.save(1, learner().tensors(), {"step": 1})
    saved = checkpoint.latest()
    with pytest.raises(
        CheckpointError, match=r"words.weight is \[16, 16\] in the checkpoint and \[16, 8\] in the model"
    ):
        learner(Wider()).load(saved)
    with pytest.raises(
        CheckpointError, match="model weight more.bias is not in the checkpoint. Was the recipe changed"
    ):
        learner(More()).load(saved)


def test_frozen_weights_stay_and_cost_no_state() -> None:
    step = ToyStep(dropout=0.0)
    step.words.requires_grad_(False)
    before = step.words.weight.clone()
    trained = learner(step)
    parts = batches(4, 1)
    trained.gradients(parts, totals(step, parts))
    trained.update(0.1, 0)
    assert torch.equal(step.words.weight, before)
    assert not any("words" in name for name in trained.tensors()["optimizer"])
    assert "words.weight" in trained.tensors()["model"]


def test_a_loaded_state_lies_in_memory_as_its_parameter_does() -> None:
    """The same numbers in another order are rounded otherwise, and a resumed run would drift from the whole one."""
    parameter = torch.randn(3, 4).t()
    found = _laid_out(torch.arange(12.0).view(4, 3), parameter)
    assert found.stride() == parameter.stride()
    assert torch.equal(found, torch.arange(12.0).view(4, 3))
    step = torch.tensor(3.0)
    assert _laid_out(step, parameter) is step
