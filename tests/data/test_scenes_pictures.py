"""Pictures: shapes against geometry, boxes against pixels, one size against another, colours against each other."""

from __future__ import annotations

import math
from itertools import combinations, pairwise
from random import Random

import numpy as np
import pytest

from tuwen.data._scenes.shapes import DISTANCES, FARTHEST
from tuwen.data._scenes.world import MARGIN_X, RADII, RGB, _background
from tuwen.data.scenes import (
    COLOURS,
    SHAPES,
    SIZES,
    TEXTURES,
    Attributes,
    Background,
    Renderer,
    Scene,
    Thing,
    World,
    box,
)

GREY = Background((210.0, 210.0, 210.0))


def thing(shape: str = "circle", texture: str = "solid", size: str = "large", **settings: float) -> Thing:
    place = {"x": 0.5, "y": 0.5, "radius": 0.19 if size == "large" else 0.11} | settings
    return Thing(Attributes(size, "blue", texture, shape), rgb=(10.0, 20.0, 200.0), **place)


def drawn(renderer: Renderer, *things: Thing) -> np.ndarray:
    """How far each pixel is from the empty picture, 0 to 1 on a solid thing. `[size, size]`."""
    empty = renderer(Scene((), GREY)).astype(float)
    full = renderer(Scene(tuple(things), GREY)).astype(float)
    return (empty - full)[:, :, 0] / (empty[:, :, 0] - 10.0)


AREAS = {
    "circle": math.pi * 0.95**2,
    "square": (2 * 0.79) ** 2,
    "triangle": 3 * math.sqrt(3) * 0.6**2,
    "star": 10 * 0.5 * 1.18 * 0.56 * math.sin(math.tau / 10),
    "cross": 4 * (2 * 0.39 * 1) - (2 * 0.39) ** 2,
    "diamond": 2 * 0.86 * 1.2,
    "heart": (2 * 0.63) ** 2 + math.pi * 0.63**2,
    "semicircle": math.pi * 1.16**2 / 2,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [64, 224])
def test_the_area_of_a_shape_is_what_geometry_says(shape: str, size: int) -> None:
    placed = thing(shape, x=0.47, y=0.52, angle=0.15)
    area = drawn(Renderer(size), placed).sum() / size**2
    assert area == pytest.approx(AREAS[shape] * 0.19**2, rel=0.02)


@pytest.mark.parametrize("shape", SHAPES)
def test_distances_are_true_near_the_edge(shape: str) -> None:
    """Against the nearest point of the edge, by brute force on a fine grid; corners may stay sharper than that."""
    line = np.linspace(-1.4, 1.4, 561, dtype=np.float32)
    u, v = np.meshgrid(line, line)
    found = DISTANCES[shape](u, v)
    assert found.dtype == np.float32
    edge = np.stack([u[abs(found) < 0.004], v[abs(found) < 0.004]], axis=1)
    rng = np.random.default_rng(0)
    near = np.argwhere(abs(found) < 0.15)
    near = near[rng.choice(len(near), 400, replace=False)]
    points = np.stack([u[tuple(near.T)], v[tuple(near.T)]], axis=1)
    true = np.sqrt(((points[:, None] - edge[None]) ** 2).sum(-1)).min(1)
    claimed = abs(found[tuple(near.T)])
    assert (claimed <= true + 0.01).all()
    assert (abs(claimed - true) < 0.01).mean() > 0.75


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("texture", TEXTURES)
def test_boxes_are_tight_around_the_pixels(shape: str, texture: str) -> None:
    size = 256
    renderer, rng = Renderer(size), Random(1)
    for name in SIZES:
        placed = thing(shape, texture, name, x=0.4 + 0.2 * rng.random(), y=0.5, angle=0.35 * rng.random() - 0.17)
        rows, columns = np.nonzero(abs(drawn(renderer, placed)) > 0.4)
        x0, y0, x1, y1 = (side * size for side in box(shape, placed.x, placed.y, placed.radius, placed.angle))
        assert columns.min() == pytest.approx(x0, abs=2)
        assert rows.min() == pytest.approx(y0, abs=2)
        assert columns.max() + 1 == pytest.approx(x1, abs=2)
        assert rows.max() + 1 == pytest.approx(y1, abs=2)


def test_a_small_picture_is_a_large_one_seen_from_afar() -> None:
    world = World((1, 3), 0, 0.2)
    small, large = Renderer(64), Renderer(512)
    for seed in range(12):
        scene = world.scene(Random(seed))
        seen = large(scene).reshape(64, 8, 64, 8, 3).mean(axis=(1, 3))
        difference = abs(seen - small(scene))
        assert difference.mean() < 3
        assert np.quantile(difference, 0.998) < 60


@pytest.mark.parametrize("texture", ["striped", "dotted", "outlined"])
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_textures_show_in_every_shape_at_64_pixels(shape: str, name: str, texture: str) -> None:
    """A good part of the thing differs from a solid one, and a good part does not."""
    renderer = Renderer(64)
    solid = renderer(Scene((thing(shape, "solid", name),), GREY)).astype(float)
    for grain in (0.0, 0.7, 1.4, 2.4):
        other = renderer(Scene((thing(shape, texture, name, grain=grain),), GREY)).astype(float)
        inside = drawn(renderer, thing(shape, "solid", name)) > 0.9
        changed = (abs(solid - other).max(axis=2) > 60)[inside].mean()
        assert 0.1 < changed < 0.75


def test_what_lies_outside_the_picture_is_cut_off() -> None:
    renderer = Renderer(64)
    whole = drawn(renderer, thing(x=0.5)).sum()
    assert drawn(renderer, thing(x=1.0)).sum() == pytest.approx(whole / 2, rel=0.05)
    for x, y in ((1.3, 0.5), (-0.3, 0.5), (0.5, 1.3), (0.5, -0.3)):
        assert drawn(renderer, thing(x=x, y=y)).sum() == 0


def test_things_are_inside_apart_and_in_order() -> None:
    world, renderer = World((1, 4), 3, 0.2), Renderer(64)
    for seed in range(300):
        things = world.scene(Random(seed)).things
        for one in things:
            x0, y0, x1, y1 = box(one.attributes.shape, one.x, one.y, one.radius, one.angle)
            assert x0 > 0
            assert y0 > 0
            assert x1 < 1
            assert y1 < 1
            low, high = RADII[one.attributes.size]
            assert low <= one.radius <= high
        for left, right in pairwise(things):
            assert right.x - left.x >= MARGIN_X
        for one, other in combinations(things, 2):
            reach = [FARTHEST[each.attributes.shape] * each.radius for each in (one, other)]
            assert math.hypot(one.x - other.x, one.y - other.y) > sum(reach)
        assert len({(each.attributes.size, each.pair) for each in things}) == len(things)
        if seed < 20 and len(things) > 1:
            empty = renderer(Scene((), GREY)).astype(float)
            covers = [abs(renderer(Scene((each,), GREY)) - empty).max(axis=2) > 30 for each in things]
            assert np.sum(covers, axis=0).max() == 1


def test_things_use_the_whole_picture() -> None:
    world = World((1, 1), 0, 0.2)
    things = [world.scene(Random(seed)).things[0] for seed in range(400)]
    for values in ([each.x for each in things], [each.y for each in things]):
        assert min(values) < 0.2
        assert max(values) > 0.8
        assert np.mean(values) == pytest.approx(0.5, abs=0.05)


def test_sizes_are_told_apart_by_a_gap() -> None:
    assert RADII["large"][0] > 1.4 * RADII["small"][1]


def test_colours_are_far_from_each_other_and_from_every_background() -> None:
    world = World((1, 3), 0, 0.0)
    scenes = [world.scene(Random(seed)) for seed in range(1500)]
    shown: dict[str, list[tuple[float, float, float]]] = {colour: [] for colour in COLOURS}
    for scene in scenes:
        for each in scene.things:
            shown[each.attributes.colour].append(each.rgb)
    for colour, jittered in shown.items():
        for rgb in jittered:
            distances = {other: math.dist(rgb, RGB[other]) for other in COLOURS}
            nearest = min(distances, key=distances.__getitem__)
            assert nearest == colour
            assert distances[colour] * 2 < min(distance for other, distance in distances.items() if other != colour)
    renderer = Renderer(32)
    for scene in scenes[:300]:
        empty = renderer(Scene((), scene.background)).astype(float)
        assert empty.min() > 165, "a background is pale, and no channel runs over"
        assert (empty.max(axis=2) - empty.min(axis=2)).max() < 70
        assert min(np.sqrt(((empty - RGB[colour]) ** 2).sum(2)).min() for colour in COLOURS) > 80


def test_no_channel_runs_over() -> None:
    class Extreme(Random):
        """Always the same draw."""

        def __init__(self, value: float) -> None:
            self.value = value

        def random(self) -> float:
            return self.value

    for value in (0.0, 0.25, 0.5, 0.75, 1 - 2**-53):
        empty = Renderer(64)(Scene((), _background(Extreme(value))))
        assert empty.min() > 165
