"""The convolutional tower: what its windows read, and what of them is refused."""

import pytest
import torch

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import build_part
from tuwen.towers.image import ImageContext
from tuwen.towers.image.cnn import Windows, planes


def slow_maximum(grid: torch.Tensor, window: int, step: int) -> torch.Tensor:
    """Each square by itself, from a first one that reaches over the upper left edge by half of the overlap."""
    size = grid.shape[-1]
    starts = range(-((window - step) // 2), size + (window - step) // 2 - window + step, step)
    inside = [slice(max(0, start), start + window) for start in starts]
    return torch.stack([torch.stack([grid[..., y, x].amax((-2, -1)) for x in inside], -1) for y in inside], -2)


@pytest.mark.parametrize(("window", "step", "size", "side"), [(8, 4, 16, 4), (4, 4, 16, 4), (3, 2, 9, 4), (1, 1, 5, 5)])
def test_a_window_is_the_maximum_of_its_square(window: int, step: int, size: int, side: int) -> None:
    grid = torch.randn(2, 3, size, size)
    windows = Windows(window, step, size)
    found = windows(grid)
    assert found.shape == (2, 3, side, side)
    assert windows.side == side
    assert torch.equal(found, slow_maximum(grid, window, step))


@pytest.mark.parametrize("size", range(4, 20))
@pytest.mark.parametrize(("window", "step"), [(4, 4), (4, 3), (4, 2), (3, 1)])
def test_no_place_is_left_out(window: int, step: int, size: int) -> None:
    windows = Windows(window, step, size)
    places = torch.eye(size * size).view(-1, 1, size, size)
    seen = windows(places)
    assert seen.shape[-1] == windows.side
    assert (seen.amax((1, 2, 3)) == 1).all()


def test_the_tower_has_a_token_a_window() -> None:
    spec = {"kind": "cnn", "stem": 2, "channels": [4, 6], "blocks": [1, 1], "window": 4, "step": 2}
    tower = build_part("towers.image", spec, ImageContext(size=32))
    features = tower(torch.randn(3, 3, 32, 32))
    assert features.tokens.shape == (3, tower.patches, 6) == (3, 16, 6)
    assert features.intermediates["grid"].shape == (3, 6, 8, 8)


def test_tokens_of_equal_squares_differ_by_their_place_alone() -> None:
    """On an even picture, away from its edges, all windows hold the same: what is left is where they are."""
    spec = {"kind": "cnn", "stem": 4, "channels": [4], "blocks": [1], "window": 2, "step": 2}
    tower = build_part("towers.image", spec, ImageContext(size=64))
    with torch.no_grad():
        tower.position.zero_()
        inner = tower(torch.ones(1, 3, 64, 64)).tokens.view(8, 8, 4)[2:6, 2:6]
    place = tower.place.view(8, 8, 4)[2:6, 2:6]
    assert torch.allclose(inner - inner[0, 0], place - place[0, 0], atol=1e-6)
    assert (place.flatten(0, 1).unsqueeze(0) - place.flatten(0, 1).unsqueeze(1)).norm(dim=-1).add(
        torch.eye(16)
    ).min() > 0.05


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"window": 2, "step": 3}, "a window of 2 every 3 would leave places out"), ({"window": 9}, "than the last grid")],
)
def test_windows_that_cannot_be(settings: dict[str, int], told: str) -> None:
    spec = {"kind": "cnn", "stem": 4, "channels": [4], "blocks": [1], **settings}
    with pytest.raises(RecipeError, match=told):
        build_part("towers.image", spec, ImageContext(size=32))


def test_positions_begin_as_planes() -> None:
    plane = planes(5, 4)
    assert plane.is_contiguous()
    assert plane.shape == (1, 5, 4, 4)
    steps_right, steps_down = plane.diff(dim=3), plane.diff(dim=2)
    assert torch.allclose(steps_right, steps_right[..., :1, :1].expand_as(steps_right), atol=1e-6)
    assert torch.allclose(steps_down, steps_down[..., :1, :1].expand_as(steps_down), atol=1e-6)
    assert plane.mean((2, 3)).abs().max() < 1e-6
    assert planes(3, 1).eq(0).all()
