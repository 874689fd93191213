"""What is in a scene, and how scenes are drawn from a seed. Nothing here knows of pixels or of words in a language.

Lengths are fractions of the picture's side, the origin is the upper left corner, y points down, angles are radians.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import product
from random import Random
from typing import NamedTuple

from tuwen.data._scenes.shapes import FARTHEST

SHAPES = ("circle", "square", "triangle", "star", "cross", "diamond", "heart", "semicircle")
COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "brown", "black")
SIZES = ("small", "large")
TEXTURES = ("solid", "striped", "dotted", "outlined")
PATTERNS = ("plain", "glow", "waves", "stripes", "checks", "clouds", "rings", "weave")
"""What a background may show, faintly."""

RGB: dict[str, tuple[int, int, int]] = {
    "red": (222, 26, 34),
    "orange": (250, 120, 10),
    "yellow": (252, 218, 10),
    "green": (28, 146, 52),
    "cyan": (8, 190, 214),
    "blue": (26, 74, 222),
    "purple": (128, 40, 184),
    "pink": (250, 112, 182),
    "brown": (122, 70, 30),
    "black": (22, 22, 26),
}
RADII = {"small": (0.105, 0.115), "large": (0.168, 0.19)}
MARGIN_X = 0.1
"""Centres lie at least so far apart in x: from left to right is never a matter of opinion."""
MARGIN_Y = 0.12
"""`above` and `below` are said only of things whose centres lie at least so far apart in y."""
MARGIN_MIDDLE = 0.05
"""A centre is said to be in one half of the picture only if it is at least so far from the middle."""
_GAP = 0.02
_TILT = math.radians(10)
_STAGGER = math.radians(20)
"""Rows of dots run so near to the diagonal: dots in line with a small thing's sides would look like a grid."""
_REPEAT = 0.2
"""How often a thing repeats a colour of the scene, and how often a shape."""

Rgb = tuple[float, float, float]
Pair = tuple[str, str]
"""A colour and a shape."""


class Attributes(NamedTuple):
    """What one thing is like."""

    size: str
    colour: str
    texture: str
    shape: str


class Reference(NamedTuple):
    """What is said of things; None is left open."""

    size: str | None = None
    colour: str | None = None
    texture: str | None = None
    shape: str | None = None

    def fits(self, thing: Attributes) -> bool:
        """Whether all that is said is true of the thing."""
        return (
            (self.size is None or self.size == thing.size)
            and (self.colour is None or self.colour == thing.colour)
            and (self.texture is None or self.texture == thing.texture)
            and (self.shape is None or self.shape == thing.shape)
        )


@dataclass(frozen=True, slots=True)
class Thing:
    """One object. `(x, y)` is its centre; `angle` tilts it clockwise; `grain` is the direction of its texture."""

    attributes: Attributes
    x: float
    y: float
    radius: float
    angle: float = 0.0
    grain: float = 0.0
    rgb: Rgb = (0.0, 0.0, 0.0)

    @property
    def pair(self) -> Pair:
        """Its colour and shape."""
        return self.attributes.colour, self.attributes.shape

    def moved(self, dx: float, dy: float) -> Thing:
        """The same thing elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True, slots=True)
class Background:
    """A pale colour that changes by `slope_x` and `slope_y` from side to side, with a faint pattern.

    Colours run from 0 to 255. `noise` is where (as fractions) the renderer's sheet of noise is cut.
    """

    rgb: Rgb
    slope_x: Rgb = (0.0, 0.0, 0.0)
    slope_y: Rgb = (0.0, 0.0, 0.0)
    pattern: str = "plain"
    tint: Rgb = (0.0, 0.0, 0.0)
    noise: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Scene:
    """The things of one picture, from left to right, on a background."""

    things: tuple[Thing, ...]
    background: Background


class World:
    """Draws scenes. The seed decides which colours with which shapes are held out.

    Args:
        objects: fewest and most things in a scene.
        seed: any integer >= 0.
        holdout: the share of all pairs of colour and shape that training never shows, 0 to 0.5.
    """

    def __init__(self, objects: tuple[int, int], seed: int, holdout: float) -> None:
        self.objects = objects
        self.held_out_pairs = hold_out(seed, math.ceil(holdout * len(COLOURS) * len(SHAPES)))
        self.seen = _Pairs(pair for pair in product(COLOURS, SHAPES) if pair not in self.held_out_pairs)
        self.held_out = _Pairs(self.held_out_pairs)
        self.all = _Pairs(product(COLOURS, SHAPES))

    def scene(self, rng: Random, held_out: bool = False) -> Scene:
        """A scene of seen pairs, or one where at least one thing has a held-out pair and the others any."""
        fewest, most = self.objects
        count = fewest + int(rng.random() * (most - fewest + 1))
        places: list[tuple[float, float]] = []
        while not places:
            kinds = self._kinds(rng, count, held_out)
            places = _settle(rng, [radius * FARTHEST[kind.shape] for kind, radius in kinds])
        things = [_thing(rng, kind, radius, x, y) for (kind, radius), (x, y) in zip(kinds, places, strict=True)]
        things.sort(key=_x)
        return Scene(tuple(things), _background(rng))

    def _kinds(self, rng: Random, count: int, held_out: bool) -> list[tuple[Attributes, float]]:
        """Attributes and radius of each thing; no two share size, colour and shape."""
        novel = int(rng.random() * count) if held_out else -1
        common = self.all if held_out else self.seen
        kinds: dict[tuple[str, str, str], tuple[Attributes, float]] = {}
        colours: list[str] = []
        shapes: list[str] = []
        while len(kinds) < count:
            pairs = self.held_out if len(kinds) == novel else common
            colour, shape = pairs.draw(rng, colours, shapes)
            size = SIZES[int(rng.random() * 2)]
            texture = TEXTURES[int(rng.random() * 4)]
            low, high = RADII[size]
            kinds.setdefault(
                (size, colour, shape), (Attributes(size, colour, texture, shape), low + (high - low) * rng.random())
            )
            colours.append(colour)
            shapes.append(shape)
        return list(kinds.values())


class _Pairs:
    """Pairs to draw from, uniformly or with a given colour or shape."""

    def __init__(self, pairs: Iterator[Pair] | Collection[Pair]) -> None:
        self.pairs = sorted(pairs)
        self.of_colour = {colour: [pair for pair in self.pairs if pair[0] == colour] for colour in COLOURS}
        self.of_shape = {shape: [pair for pair in self.pairs if pair[1] == shape] for shape in SHAPES}

    def draw(self, rng: Random, colours: list[str], shapes: list[str]) -> Pair:
        """A pair; now and then one that repeats a given colour or shape, so that there is something to count."""
        choice = rng.random()
        pairs = self.pairs
        if colours and choice < 2 * _REPEAT:
            which = int(rng.random() * len(colours))
            pairs = (self.of_colour[colours[which]] if choice < _REPEAT else self.of_shape[shapes[which]]) or pairs
        return pairs[int(rng.random() * len(pairs))]


def hold_out(seed: int, count: int) -> frozenset[Pair]:
    """`count` pairs of colour and shape, spread so that no colour (and no shape) loses two pairs more than another.

    Walks the table of pairs along its diagonals, rows and columns shuffled by the seed.
    """
    rng = Random(seed)
    colours, shapes = list(COLOURS), list(SHAPES)
    rng.shuffle(colours)
    rng.shuffle(shapes)
    rows, columns = len(colours), len(shapes)
    lap = math.lcm(rows, columns)
    return frozenset((colours[k % rows], shapes[(k + k // lap) % columns]) for k in range(count))


def _x(thing: Thing) -> float:
    return thing.x


def _settle(rng: Random, reaches: list[float]) -> list[tuple[float, float]]:
    """Centres for things that reach so far; empty where, after many attempts, there seems to be no room."""
    for _ in range(12):
        if places := _place(rng, reaches):
            return places
    return []


def _place(rng: Random, reaches: list[float], tries: int = 20) -> list[tuple[float, float]]:
    """Centres, one after the other, where things neither touch nor share a column; empty where no room was found."""
    placed: list[tuple[float, float, float]] = []
    for reach in reaches:
        span = 1 - 2 * reach
        for _ in range(tries):
            x, y = reach + span * rng.random(), reach + span * rng.random()
            if _free(placed, x, y, reach):
                placed.append((x, y, reach))
                break
        else:
            return []
    return [(x, y) for x, y, _ in placed]


def _free(placed: list[tuple[float, float, float]], x: float, y: float, reach: float) -> bool:
    for other_x, other_y, other_reach in placed:
        dx, dy, least = x - other_x, y - other_y, reach + other_reach + _GAP
        if -MARGIN_X < dx < MARGIN_X or dx * dx + dy * dy < least * least:
            return False
    return True


def _thing(rng: Random, attributes: Attributes, radius: float, x: float, y: float) -> Thing:
    draw = rng.random
    red, green, blue = RGB[attributes.colour]
    light = 0.92 + 0.12 * draw()
    rgb = (_jitter(red * light, draw()), _jitter(green * light, draw()), _jitter(blue * light, draw()))
    tilt, grain = _TILT * (2 * draw() - 1), math.pi * draw()
    if attributes.texture == "dotted":
        grain = math.pi / 4 + _STAGGER * (2 * grain / math.pi - 1)
    return Thing(attributes, x, y, radius, tilt, grain, rgb)


def _jitter(level: float, draw: float) -> float:
    return min(255.0, max(0.0, level + 16 * draw - 8))


def _background(rng: Random) -> Background:
    draw = rng.random
    grey = 202 + 22 * draw()
    slope = 6.0
    strength = 6 * (2 * draw() - 1)
    return Background(
        (grey + 16 * draw() - 8, grey + 16 * draw() - 8, grey + 16 * draw() - 8),
        (slope * (2 * draw() - 1), slope * (2 * draw() - 1), slope * (2 * draw() - 1)),
        (slope * (2 * draw() - 1), slope * (2 * draw() - 1), slope * (2 * draw() - 1)),
        PATTERNS[int(draw() * len(PATTERNS))],
        (strength, strength * (0.4 + 0.6 * draw()), strength * (0.4 + 0.6 * draw())),
        (draw(), draw()),
    )
