"""Which layer a weight lies in, by hand, and what it does to its learning rate."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests import checkpoints, tiny
from tuwen.core.rooms import build_part
from tuwen.models.depth import depths
from tuwen.recipe.step import Step
from tuwen.towers.image import ImageContext
from tuwen.towers.text import TextContext
from tuwen.train.optimizers import Trainable


def by_layer(module: nn.Module) -> dict[int, set[str]]:
    """For each depth, the first words of the names of its parameters."""
    found: dict[int, set[str]] = {}
    for name, depth in depths(module).items():
        found.setdefault(depth, set()).add(".".join(name.split(".")[:2]))
    return found


def test_the_layers_of_our_own_transformer() -> None:
    tower = build_part("towers.text", {"kind": "transformer", "width": 24, "depth": 2, "heads": 2}, TextContext(50, 8))
    assert by_layer(tower) == {
        2: {"position", "token.weight"},
        1: {"blocks.0"},
        0: {"blocks.1", "norm.weight", "norm.bias"},
    }


def test_the_stem_of_a_vision_transformer_lies_below_its_blocks() -> None:
    sizes = {"width": 24, "depth": 2, "heads": 2, "patch": 8, "stem": [8, 8], "pool": "class"}
    found = depths(build_part("towers.image", {"kind": "vit", **sizes}, ImageContext(32)))
    below = ("stem.", "position", "class_token")
    assert {depth for name, depth in found.items() if name.startswith(below)} == {2}
    assert {depth for name, depth in found.items() if name.startswith("blocks.0")} == {1}
    assert {depth for name, depth in found.items() if name.startswith(("blocks.1", "norm"))} == {0}


def test_the_places_of_a_convolutional_network_lie_behind_it() -> None:
    tower = build_part("towers.image", {"kind": "cnn", "channels": [4, 8], "blocks": [1, 1]}, ImageContext(32))
    assert by_layer(tower) == {
        3: {"stages.0"},
        2: {"stages.1"},
        1: {"stages.2"},
        0: {"stages.3", "norm.weight", "norm.bias", "position", "place"},
    }


def test_the_layers_of_a_pretrained_encoder(tmp_path: Path) -> None:
    tower = build_part("towers.image", {"kind": "hf", "name": str(checkpoints.dinov2(tmp_path))}, ImageContext(32))
    found = depths(tower)
    assert {depth for name, depth in found.items() if ".embeddings." in name} == {2}
    assert {depth for name, depth in found.items() if ".layer.0." in name} == {1}
    assert {depth for name, depth in found.items() if ".layer.1." in name} == {0}
    assert found["encoder.layernorm.weight"] == 0
    assert found.keys() == dict(tower.named_parameters()).keys()


def test_the_stages_of_a_residual_network(tmp_path: Path) -> None:
    tower = build_part("towers.image", {"kind": "hf", "name": str(checkpoints.resnet(tmp_path))}, ImageContext(32))
    found = depths(tower)
    assert {depth for name, depth in found.items() if ".embedder." in name} == {2}
    assert {depth for name, depth in found.items() if ".stages.0." in name} == {1}
    assert {depth for name, depth in found.items() if ".stages.1." in name} == {0}


def test_a_network_without_layers_is_one() -> None:
    assert set(depths(nn.Linear(3, 2)).values()) == {0}


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_each_layer_learns_at_its_share_of_the_rate(kind: str) -> None:
    model = tiny.model(language={"kind": "gpt", "width": 24, "depth": 3, "heads": 2})
    step = Step(model, {})
    found = step.depths()
    assert {name.split(".")[1] for name in found} == {"image_tower", "text_tower", "language"}
    named = dict(step.named_parameters())
    scales = {id(named[name]): 0.5**depth for name, depth in found.items()}
    optimizers = build_part("train.optimizers", {"kind": kind}, Trainable(step, 0.05, (0.9, 0.98), scales))
    rates = {id(p): group["scale"] for each in optimizers for group in each.param_groups for p in group["params"]}
    assert rates.keys() == {id(p) for p in model.parameters()}
    for name, parameter in step.named_parameters():
        assert rates[id(parameter)] == 0.5 ** found.get(name, 0)
    assert rates[id(named["model.language.token.weight"])] == 0.125
    assert rates[id(named["model.image_projection.weight"])] == 1


def test_the_settings_of_a_run_reach_the_optimizer() -> None:
    from accelerate import Accelerator

    from tuwen.train.config import TrainConfig
    from tuwen.train.learner import Learner
    from tuwen.train.processes import Team

    step = Step(tiny.model(), {"contrastive": tiny.objective({"kind": "contrastive"})})
    learner = Learner(step, TrainConfig(steps=1, layer_decay=0.5), Team(Accelerator()), "fp32")
    before = {name: p.detach().clone() for name, p in step.named_parameters()}
    learner.gradients([tiny.batch([["a red circle"], ["two blue squares"]])], {"contrastive": 2.0})
    learner.update(0.01, 0)
    moved = {name: (p - before[name]).abs().max() for name, p in step.named_parameters() if p.grad is not None}
    # AdamW's first step is as long as its learning rate, whatever the gradient.
    torch.testing.assert_close(moved["model.text_tower.norm.bias"], torch.tensor(0.01), atol=1e-4, rtol=0)
    torch.testing.assert_close(moved["model.image_tower.blocks.0.mlp_norm.bias"], torch.tensor(0.01), atol=1e-4, rtol=0)
    torch.testing.assert_close(moved["model.image_tower.stem.0.bias"], torch.tensor(0.005), atol=1e-4, rtol=0)
