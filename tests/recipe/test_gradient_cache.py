"""Objectives that compare all samples of a step, with the gradients of one large batch in the memory of a small one."""

import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from tests import tiny
from tests.processes import in_processes
from tuwen.core.batch import Batch
from tuwen.recipe.step import Step
from tuwen.train.config import TrainConfig
from tuwen.train.learner import Learner
from tuwen.train.processes import Team

TEXTS = [
    ["a red disc", "a"],
    ["two things"],
    ["一个蓝色的方形", "b", "c d"],
    ["a"],
    ["e f"],
    [],
    ["a red disc"],
    ["g", "h"],
]
OBJECTIVES: dict[str, dict[str, Any]] = {
    "contrastive": {"kind": "contrastive"},
    "classification": {"kind": "classification", "weight": 0.5},
    "joint": {"kind": "joint", "members": {"pairs": {"kind": "sigmoid"}}, "learned": True},
}


def batches(cuts: Sequence[int]) -> list[Batch]:
    """The same eight pictures in batches that end where the cuts say."""
    targets = [0, 1, None, 3, 0, 2, 1, None]
    whole = tiny.batch(TEXTS, target=targets)
    assert whole.pixels is not None
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(TEXTS)], strict=True):
        part = tiny.batch(TEXTS[start:end], target=targets[start:end])
        found.append(replace(part, pixels=whole.pixels[start:end]))
    return found


def step() -> Step:
    heads = {"label": {"reads": "image", "classes": "labels"}}
    model = tiny.model(heads=heads, uncertainties=["pairs"])
    return Step(model.train(), {name: tiny.objective(spec) for name, spec in OBJECTIVES.items()})


def learner(module: Step, cached: bool) -> Learner:
    config = TrainConfig(steps=1, accumulate=4 if cached else 1, gradient_cache=cached)
    return Learner(module, config, Team(Accelerator(cpu=True)), "fp32")


def gradients(parts: Sequence[Batch], cached: bool) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Of all parameters that have one; and each objective's loss, summed over the batches."""
    module = step()
    totals = {name: sum(module.counts(part)[name] for part in parts) for name in module.weights}
    outcome = learner(module, cached).gradients(parts, totals)
    losses = {name: sum(float(each[name].sum) for each in outcome if name in each) for name in module.weights}
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}, losses


@pytest.mark.parametrize("cuts", [[4], [1, 2, 5], [5, 6]], ids=str)
def test_equal_to_one_large_batch(cuts: list[int]) -> None:
    wanted, losses = gradients(batches([]), cached=False)
    found, same = gradients(batches(cuts), cached=True)
    assert same == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
    apart, _ = gradients(batches(cuts), cached=False)
    assert not torch.allclose(apart["model.text_projection.weight"], wanted["model.text_projection.weight"], rtol=0.01)


def of_one_process(rank: int) -> dict[str, list[float]]:
    """Two of four batches each."""
    module, parts = step(), batches([2, 4, 6])
    totals = {name: sum(module.counts(part)[name] for part in parts) for name in module.weights}
    learner(module, cached=True).gradients(parts[2 * rank : 2 * rank + 2], totals)
    gradient = module.model.text_projection.weight.grad
    torch.distributed.all_reduce(gradient)
    return gradient.tolist()


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_with_two_processes_too(tmp_path: Path) -> None:
    first, second = in_processes(2, of_one_process, tmp_path)
    wanted, _ = gradients(batches([]), cached=False)
    torch.testing.assert_close(torch.tensor(first), wanted["model.text_projection.weight"], rtol=1e-4, atol=1e-6)
    assert first == second


def test_what_is_dropped_out_is_dropped_out_again() -> None:
    module, seen = step(), []

    def drop(_: object, __: object, out: Tensor) -> Tensor:
        seen.append(F.dropout(out))
        return seen[-1]

    module.model.text_projection.register_forward_hook(drop)
    parts = batches([3, 6])
    learner(module, cached=True).gradients(parts, dict.fromkeys(module.weights, 1.0))
    assert len(seen) == 6
    for first, again in zip(seen[:3], seen[3:], strict=True):
        torch.testing.assert_close(first, again)
        assert first.eq(0).any()


class Held:
    """How many bytes autograd holds for the backward pass, at most."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def pack(self, tensor: Tensor) -> Tensor:
        kept, size = tensor.detach().clone(), tensor.numel() * tensor.element_size()
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(kept, self.drop, size)
        return kept

    def drop(self, size: int) -> None:
        self.now -= size


def held(parts: Sequence[Batch], cached: bool) -> int:
    count = Held()
    with saved_tensors_hooks(count.pack, lambda kept: kept):
        gradients(parts, cached)
    return count.most


def test_sixteen_times_the_batch_needs_hardly_more_memory() -> None:
    small = [tiny.batch([["a red disc"], ["two things"]], target=[0, 1])]
    assert held(small * 16, cached=True) < 1.2 * held(small, cached=False)


def test_where_nothing_is_compared_there_is_nothing_to_embed() -> None:
    heads = {"label": {"reads": "image", "classes": "labels"}}
    model = tiny.model(heads=heads, embedding=None, text=None, fusion=None)
    module = Step(model.train(), {"classification": tiny.objective(OBJECTIVES["classification"])})
    parts = batches([3])
    totals = {"classification": 6.0}
    found = []
    for cached in (False, True):
        own = learner(module, cached)
        own.gradients(parts, totals)
        found.append([p.grad.clone() for p in own.parameters if p.grad is not None])
    assert found[0]
    assert all(map(torch.equal, *found))


def test_each_batch_draws_numbers_of_its_own_and_batch_norms_see_it_once() -> None:
    """Even where embedding draws nothing, so that the generator stands still meanwhile."""
    module, drawn = step(), []
    norm = torch.nn.BatchNorm1d(4)
    module.add_module("norm", norm)

    def draw(_: object, __: object, out: Tensor) -> None:
        norm(torch.randn(5, 4, generator=torch.Generator().manual_seed(0)))
        if torch.is_grad_enabled():
            drawn.append(float(torch.rand(())))

    module.model.text_projection.register_forward_hook(draw)
    learner(module, cached=True).gradients(batches([3, 6]), dict.fromkeys(module.weights, 1.0))
    assert len(set(drawn)) == 3
    assert norm.num_batches_tracked == 3
    assert norm.track_running_stats
