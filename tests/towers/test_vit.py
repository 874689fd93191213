"""A Vision Transformer whose class token is all that is asked for gives what it gives among its patches."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.conformance.checks import random
from tuwen.core.rooms import build_part
from tuwen.towers.image import ImageContext, ImageTower

PIXELS = random(3, 3, 32, 32)


def tower(**settings: object) -> ImageTower:
    torch.manual_seed(0)
    spec = {"kind": "vit", "width": 24, "depth": 2, "heads": 2, "patch": 8, "pool": "class", **settings}
    return build_part("towers.image", spec, ImageContext(size=32))


def gradients(vit: ImageTower, pooled: torch.Tensor) -> dict[str, torch.Tensor]:
    found = torch.autograd.grad(pooled.pow(3).sum(), list(vit.parameters()), allow_unused=True)
    names = [name for name, _ in vit.named_parameters()]
    return {name: gradient for name, gradient in zip(names, found, strict=True) if gradient is not None}


def test_the_class_token_alone_is_the_same_and_learns_the_same() -> None:
    for depth in (1, 2):
        vit = tower(depth=depth, enter_norm=True).double()
        alone, among = vit.pooled(PIXELS.double()), vit(PIXELS.double()).pooled
        torch.testing.assert_close(alone, among)
        torch.testing.assert_close(gradients(vit, alone), gradients(vit, among))


def test_the_class_token_alone_costs_less() -> None:
    vit = tower()
    with FlopCounterMode(display=False) as among:
        vit(PIXELS)
    with FlopCounterMode(display=False) as alone:
        vit.pooled(PIXELS)
    assert alone.get_total_flops() < 0.75 * among.get_total_flops()


def test_in_bf16_what_runs_past_the_blocks_is_bf16_too() -> None:
    vit = tower()
    plain = vit(PIXELS)
    with torch.autocast("cpu", torch.bfloat16):
        found = vit(PIXELS)
    assert {found.intermediates[name].dtype for name in ("block0.out", "block1.out")} == {torch.bfloat16}
    torch.testing.assert_close(found.pooled.float(), plain.pooled, atol=0.05, rtol=0.05)
