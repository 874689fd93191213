"""The text tower of our own, beyond what holds for all."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tuwen.core.rooms import build_part
from tuwen.towers.text import TextContext, TextTower

LENGTHS = torch.tensor([20, 2, 0, 7, 7, 20, 1])
MASK = torch.arange(20) < LENGTHS[:, None]
IDS = torch.randint(1, 50, MASK.shape, generator=torch.Generator().manual_seed(0))


def tower(**settings: object) -> TextTower:
    torch.manual_seed(0)
    spec = {"kind": "transformer", "width": 32, "depth": 2, "heads": 2, "pool": "last", **settings}
    return cast(TextTower, build_part("towers.text", spec, TextContext(vocab_size=50, max_length=20)))


def gradients(text: TextTower, pooled: torch.Tensor) -> dict[str, torch.Tensor]:
    found = torch.autograd.grad(pooled.pow(3).sum(), list(text.parameters()))
    return dict(zip((name for name, _ in text.named_parameters()), found, strict=True))


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("causal", [True, False])
def test_the_last_token_alone_is_the_same_and_learns_the_same(depth: int, causal: bool) -> None:
    """In buckets of unequal rows, equal rows, and a row without a token."""
    text = tower(depth=depth, causal=causal).double()
    alone, among = text.pooled(IDS, MASK), text(IDS, MASK).pooled
    torch.testing.assert_close(alone, among)
    torch.testing.assert_close(gradients(text, alone), gradients(text, among))


def test_the_last_token_alone_costs_less() -> None:
    text = tower()
    with FlopCounterMode(display=False) as among:
        text(IDS, MASK)
    with FlopCounterMode(display=False) as alone:
        text.pooled(IDS, MASK)
    assert alone.get_total_flops() < 0.75 * among.get_total_flops()


def test_under_autocast_the_last_token_alone_is_close() -> None:
    text = tower()
    with torch.autocast("cpu", torch.bfloat16):
        alone = text.pooled(IDS, MASK)
    torch.testing.assert_close(alone.float(), text(IDS, MASK).pooled, atol=0.1, rtol=0.1)
