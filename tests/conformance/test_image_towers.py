"""Whatever stands in `towers/image` turns pictures into tokens in reading order, each picture by itself."""

import math
from collections.abc import Iterable

import pytest
import torch
from torch import Tensor

from tests.conformance.checks import (
    CLOSE,
    assert_every_weight_learns,
    assert_saved_weights_are_all_of_it,
    build,
    random,
)
from tuwen.core.rooms import names
from tuwen.towers.image import ImageContext, ImageTower

ROOM = "towers.image"
CONTEXT = ImageContext(size=32)
PIXELS = random(4, 3, CONTEXT.size, CONTEXT.size)


@pytest.fixture(params=names(ROOM))
def tower(request: pytest.FixtureRequest) -> ImageTower:
    return build(ROOM, request.param, CONTEXT).eval()


def outputs(tower: ImageTower) -> Iterable[Tensor]:
    features = tower(PIXELS)
    return features.tokens, features.pooled


def test_shapes_are_those_that_it_promises(tower: ImageTower) -> None:
    features = tower(PIXELS)
    assert features.tokens.shape == (4, tower.patches, tower.width)
    assert features.pooled.shape == (4, tower.width)
    assert features.mask is None or features.mask.shape == (4, tower.patches)
    assert all(len(extra) == 4 and extra.isfinite().all() for extra in features.intermediates.values())
    assert features.tokens.isfinite().all()
    assert features.pooled.isfinite().all()


def test_a_uniform_picture_is_finite(tower: ImageTower) -> None:
    for value in (-1.0, 0.0, 1.0):
        features = tower(torch.full_like(PIXELS, value))
        assert features.tokens.isfinite().all()
        assert features.pooled.isfinite().all()


def test_a_picture_is_the_same_alone_and_in_any_company(tower: ImageTower) -> None:
    order = torch.tensor([2, 0, 3, 1])
    together, shuffled, alone = tower(PIXELS), tower(PIXELS[order]), tower(PIXELS[1:2])
    for name in ("tokens", "pooled"):
        torch.testing.assert_close(getattr(shuffled, name), getattr(together, name)[order], **CLOSE)
        torch.testing.assert_close(getattr(alone, name), getattr(together, name)[1:2], **CLOSE)


def test_the_pooled_vector_alone_is_the_same(tower: ImageTower) -> None:
    torch.testing.assert_close(tower.pooled(PIXELS), tower(PIXELS).pooled, **CLOSE)


def test_memory_order_does_not_matter(tower: ImageTower) -> None:
    last = tower(PIXELS.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last.tokens, tower(PIXELS).tokens, **CLOSE)


def test_tokens_are_in_reading_order(tower: ImageTower) -> None:
    """What moves a corner's token most is that corner of the picture."""
    side = math.isqrt(tower.patches)
    for number, corner in {
        0: (0, 0),
        side - 1: (0, 1),
        tower.patches - side: (1, 0),
        tower.patches - 1: (1, 1),
    }.items():
        pixels = PIXELS.clone().requires_grad_()
        (tower(pixels).tokens[:, number] * random(4, tower.width)).sum().backward()
        assert pixels.grad is not None
        quarters = pixels.grad.square().sum((0, 1)).view(2, CONTEXT.size // 2, 2, CONTEXT.size // 2).sum((1, 3))
        assert divmod(int(quarters.argmax()), 2) == corner


def test_every_weight_learns(tower: ImageTower) -> None:
    assert_every_weight_learns(tower.train(), outputs(tower))


def test_under_autocast_it_is_finite_and_close(tower: ImageTower) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        pooled = tower(PIXELS).pooled
    torch.testing.assert_close(pooled.float(), tower(PIXELS).pooled, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("kind", names(ROOM))
def test_saved_weights_are_all_of_it(kind: str) -> None:
    assert_saved_weights_are_all_of_it(ROOM, kind, CONTEXT, outputs)
