"""What is in three boxes, drawn at random, and its picture. Lengths are pixels, y points down."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
from numpy.typing import NDArray

from tuwen.data._boxes.layout import SIDE

SHAPES = ("square", "circle", "triangle")
COLOURS = {"black": (0, 0, 0), "blue": (0, 153, 255), "yellow": (255, 255, 0)}
SIZES = {"small": 10, "medium": 20, "large": 30}
GROUND = 211
BLOCK, PITCH, TALLEST = 20, 21, 4
"""Side of a tower's block, from one to the next above, and blocks of a tower at most."""
MOST = 8
"""Things in a box at most."""
AT_THE_WALL, ON_ANOTHER = 0.35, 0.12
"""How often a thing is put against a wall, and how often right upon another thing."""
WALLS = ("bottom", "bottom", "bottom", "right", "right", "left", "top")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing; `(x, y)` is its upper left corner."""

    shape: str
    colour: str
    side: int
    x: int
    y: int

    @property
    def walls(self) -> tuple[str, ...]:
        """The walls of the box that it touches."""
        touched = {
            "left": self.x == 0,
            "top": self.y == 0,
            "right": self.x + self.side == SIDE,
            "bottom": self.y + self.side == SIDE,
        }
        return tuple(wall for wall, touches in touched.items() if touches)


Box = tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Boxes:
    """Three boxes. towers: whether each holds one tower, its blocks from the base up, or things that are scattered."""

    boxes: tuple[Box, Box, Box]
    towers: bool

    @property
    def items(self) -> list[Item]:
        """All things."""
        return [item for box in self.boxes for item in box]


def draw(rng: Random, towers: bool) -> Boxes:
    """Three boxes, each with a tower or with things that are scattered."""
    fill = _tower if towers else _scattered
    return Boxes((fill(rng), fill(rng), fill(rng)), towers)


def _tower(rng: Random) -> Box:
    height = rng.randint(1, TALLEST)
    few = rng.sample(list(COLOURS), rng.randint(1, 3))  # towers of one colour and of two are common
    middle = (SIDE - BLOCK) // 2
    return tuple(
        Item("square", rng.choice(few), BLOCK, middle, SIDE - BLOCK - PITCH * place) for place in range(height)
    )


def _scattered(rng: Random) -> Box:
    few_colours = rng.sample(list(COLOURS), rng.choice((1, 2, 3, 3, 3)))
    few_shapes = rng.sample(SHAPES, rng.choice((1, 2, 3, 3, 3)))
    items: list[Item] = []
    for _ in range(rng.randint(1, MOST)):
        side = rng.choice(list(SIZES.values()))
        shape, colour = rng.choice(few_shapes), rng.choice(few_colours)
        for _ in range(12):
            x, y = _place(rng, side, items)
            if all(_apart(x, y, side, other) for other in items):
                items.append(Item(shape, colour, side, x, y))
                break
    return tuple(items)


def _place(rng: Random, side: int, items: list[Item]) -> tuple[int, int]:
    """Somewhere clear of the walls, against one or two of them, or upon another thing."""
    far = SIDE - side
    x, y = rng.randint(3, far - 3), rng.randint(3, far - 3)
    choice = rng.random()
    if choice < AT_THE_WALL:
        for wall in (rng.choice(WALLS), *([rng.choice(WALLS)] if rng.random() < 0.2 else [])):
            x, y = {"bottom": (x, far), "top": (x, 0), "left": (0, y), "right": (far, y)}[wall]
    elif choice < AT_THE_WALL + ON_ANOTHER and items:
        below = rng.choice(items)
        x, y = below.x + (below.side - side) // 2, below.y - side
    return x, y


def _apart(x: int, y: int, side: int, other: Item) -> bool:
    inside = 0 <= x <= SIDE - side and 0 <= y <= SIDE - side
    clear_x = x >= other.x + other.side or other.x >= x + side
    clear_y = y >= other.y + other.side or other.y >= y + side
    return inside and (clear_x or clear_y)


def render(box: Box) -> NDArray[np.uint8]:
    """A box as pixels, `[100, 100, 3]`."""
    pixels = np.full((SIDE, SIDE, 3), GROUND, np.float32)
    for item in box:
        place = np.s_[item.y : item.y + item.side, item.x : item.x + item.side]
        cover = _cover(item.shape, item.side)
        pixels[place] += cover * (np.array(COLOURS[item.colour], np.float32) - pixels[place])
    return np.rint(pixels).astype(np.uint8)


@cache
def _cover(shape: str, side: int) -> NDArray[np.float32]:
    """How much of each pixel a thing covers, `[side, side, 1]`, from 8 x 8 points in each."""
    fine = 8
    at = (np.arange(side * fine) + 0.5) / (side * fine)
    y, x = np.meshgrid(at, at, indexing="ij")
    inside = {
        "square": np.ones_like(x, bool),
        "circle": (x - 0.5) ** 2 + (y - 0.5) ** 2 <= 0.25,
        "triangle": np.abs(x - 0.5) <= y / 2,
    }[shape]
    return inside.reshape(side, fine, side, fine).mean((1, 3), dtype=np.float32)[..., None]
