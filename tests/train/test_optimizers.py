"""Which weights each optimizer takes, and what its first steps are."""

from typing import Any

import pytest
import torch
from torch import nn

from tuwen.core.rooms import build_part, names
from tuwen.train.optimizers import Trainable


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.words = nn.Embedding(7, 6)
        self.inner = nn.Linear(6, 10)
        self.twin = nn.Linear(6, 10, bias=False)
        self.tall = nn.Linear(10, 4, bias=False)
        self.patches = nn.Conv2d(3, 8, 2, bias=False)
        self.norm = nn.LayerNorm(6)
        self.position = nn.Parameter(torch.zeros(1, 5, 6))
        self.temperature = nn.Parameter(torch.tensor(0.5))
        self.frozen = nn.Parameter(torch.ones(3, 3), requires_grad=False)
        self.head = nn.Linear(6, 7, bias=False)
        self.head.weight = self.words.weight
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)
            parameter.grad = torch.randn(parameter.shape, generator=generator)


def build(net: Net, kind: str, weight_decay: float = 0.1, **settings: Any) -> list[torch.optim.Optimizer]:
    context = Trainable(net, weight_decay, (0.9, 0.98))
    return build_part("train.optimizers", {"kind": kind, **settings}, context)


def of_names(net: Net, parameters: list[nn.Parameter]) -> set[str]:
    known = {id(parameter): name for name, parameter in net.named_parameters()}
    return {known[id(parameter)] for parameter in parameters}


@pytest.mark.parametrize("kind", names("train.optimizers"))
def test_each_trained_weight_is_taken_once_and_moves(kind: str) -> None:
    net = Net()
    optimizers = build(net, kind)
    taken = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    assert len(taken) == len({id(p) for p in taken})
    assert of_names(net, taken) == {name for name, p in net.named_parameters() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = 0.01
        optimizer.step()
    moved = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert moved == of_names(net, taken)


def test_only_weights_with_two_dimensions_and_more_decay_under_adamw() -> None:
    net = Net()
    (optimizer,) = build(net, "adamw")
    decay = {group["weight_decay"]: of_names(net, group["params"]) for group in optimizer.param_groups}
    assert decay[0.0] == {"inner.bias", "norm.weight", "norm.bias", "temperature"}
    assert decay[0.1] == {"words.weight", "inner.weight", "twin.weight", "tall.weight", "patches.weight", "position"}


def test_the_first_step_of_adamw_is_the_sign_of_the_gradient() -> None:
    net = Net()
    before = net.inner.weight.detach().clone()
    (optimizer,) = build(net, "adamw")
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    optimizer.step()
    expected = before * (1 - 0.01 * 0.1) - 0.01 * net.inner.weight.grad.sign()
    torch.testing.assert_close(net.inner.weight.detach(), expected, rtol=0, atol=1e-5)


def test_muon_takes_what_maps_one_vector_to_another() -> None:
    net = Net()
    muon, adamw = build(net, "muon")
    (group,) = muon.param_groups
    assert of_names(net, group["params"]) == {"inner.weight", "twin.weight", "tall.weight", "patches.weight"}
    assert of_names(net, [p for group in adamw.param_groups for p in group["params"]]) == {
        "words.weight", "position", "inner.bias", "norm.weight", "norm.bias", "temperature",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["inner", "twin", "tall"])
def test_muon_does_what_pytorchs_does(name: str) -> None:
    net, reference = Net(), Net()
    ours = build(net, "muon", momentum=0.9)[0]
    matrices = [reference.inner.weight, reference.twin.weight, reference.tall.weight]
    theirs = torch.optim.Muon(matrices, lr=0.02, weight_decay=0.1, momentum=0.9, adjust_lr_fn="match_rms_adamw")
    ours.param_groups[0]["lr"] = 0.02
    for _ in range(3):
        ours.step()
        theirs.step()
    mine, other = getattr(net, name).weight, getattr(reference, name).weight
    torch.testing.assert_close(mine, other, rtol=0, atol=2e-3)  # both iterate in bf16, and round differently


def test_muons_update_has_singular_values_of_about_one() -> None:
    net = Net()
    before = net.inner.weight.detach().clone()
    muon = build(net, "muon", weight_decay=0.0)[0]
    muon.param_groups[0]["lr"] = 1.0
    muon.step()
    values = torch.linalg.svdvals((before - net.inner.weight.detach()) / (0.2 * 10**0.5))
    assert values.min() > 0.4
    assert values.max() < 1.4


def test_a_model_of_matrices_alone() -> None:
    net = nn.Linear(3, 2, bias=False)
    optimizers = build_part("train.optimizers", {"kind": "muon"}, Trainable(net, 0.0, (0.9, 0.98)))
    assert len(optimizers) == 1
