"""Scenes as pictures, with analytic anti-aliasing: a pixel's share of a shape follows from its signed distance.

Each thing is worked out only inside its box, so a picture costs little more than its background.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tuwen.data._scenes.shapes import DISTANCES, Field, box
from tuwen.data._scenes.world import Background, Scene, Thing

_STRIPE = {"small": 0.064, "large": 0.078}
_SPACING = {"small": 0.072, "large": 0.09}
_DOT = {"small": 0.021, "large": 0.026}
_OUTLINE = {"small": 0.028, "large": 0.036}
_RIM = 0.012
_NOISE = 2.5


class Renderer:
    """Draws scenes as `[size, size, 3]` uint8 pictures."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._line = ((np.arange(size) + 0.5) / size).astype(np.float32)
        self._noise = np.random.default_rng(0).normal(0, _NOISE, (2 * size, 2 * size, 3)).astype(np.float32)
        np.clip(self._noise, -2 * _NOISE, 2 * _NOISE, out=self._noise)
        self._grounds: dict[str, Field] = {}

    def __call__(self, scene: Scene) -> NDArray[np.uint8]:
        """The picture of a scene."""
        canvas = self._background(scene.background)
        for thing in scene.things:
            self._draw(canvas, thing)
        return canvas.astype(np.uint8)

    def _background(self, ground: Background) -> Field:
        """`[size, size, 3]` float32, 0.5 up, so that cutting off the fraction rounds."""
        basis = self._grounds.get(ground.pattern)
        if basis is None:
            basis = self._grounds[ground.pattern] = _ground(ground.pattern, self._line)
        red, green, blue = ground.rgb
        weights = np.array(
            ((red + 0.5, green + 0.5, blue + 0.5), ground.slope_x, ground.slope_y, ground.tint), dtype=np.float32
        )
        size = self.size
        canvas: Field = (basis @ weights).reshape(size, size, 3)
        left, top = int(ground.noise[0] * size), int(ground.noise[1] * size)
        canvas += self._noise[top : top + size, left : left + size]
        return canvas

    def _draw(self, canvas: Field, thing: Thing) -> None:
        size = self.size
        shape, radius = thing.attributes.shape or "", thing.radius
        left, top, right, bottom = box(shape, thing.x, thing.y, radius, thing.angle)
        columns = slice(max(0, int(left * size) - 1), max(0, int(right * size) + 2))
        rows = slice(max(0, int(top * size) - 1), max(0, int(bottom * size) + 2))
        window = canvas[rows, columns]
        if not window.size:
            return
        across = (self._line[columns] - np.float32(thing.x)) / np.float32(radius)
        down = ((self._line[rows] - np.float32(thing.y)) / np.float32(radius))[:, None]
        cos, sin = np.float32(math.cos(thing.angle)), np.float32(math.sin(thing.angle))
        u = across * cos + down * sin
        v = down * cos - across * sin
        depth = DISTANCES[shape](u, v) * np.float32(-radius * size)
        cover = _share(depth)
        texture = thing.attributes.texture
        colour = np.array(thing.rgb, dtype=np.float32)
        if texture == "outlined":
            cover -= _share(depth - np.float32(_OUTLINE[thing.attributes.size or ""] * size))
        elif texture != "solid":
            gaps = self._gaps(thing, u, v)
            np.minimum(gaps, _share(depth - np.float32(_RIM * size)), out=gaps)
            colour = colour + gaps[:, :, None] * (_gap_colour(thing) - colour)
        window += cover[:, :, None] * (colour - window)

    def _gaps(self, thing: Thing, u: Field, v: Field) -> Field:
        """Where a striped or dotted thing shows its second colour, 0 to 1."""
        size = thing.attributes.size or ""
        cos, sin = math.cos(thing.grain), math.sin(thing.grain)
        if thing.attributes.texture == "striped":
            period = _STRIPE[size]
            scale = thing.radius / period
            phase = u * np.float32(cos * scale) + v * np.float32(sin * scale)
            phase -= np.floor(phase)
            return _share((np.float32(0.25) - abs(phase - np.float32(0.5))) * np.float32(period * self.size))
        spacing = _SPACING[size]
        scale = thing.radius / spacing
        along = u * np.float32(cos * scale) + v * np.float32(sin * scale)
        beside = v * np.float32(cos * scale) - u * np.float32(sin * scale)
        along -= np.rint(along)
        beside -= np.rint(beside)
        distance = np.sqrt(along * along + beside * beside) * np.float32(spacing * self.size)
        return _share(np.float32(_DOT[size] * self.size) - distance)


def _share(depth: Field) -> Field:
    """How much of a pixel is covered whose centre lies `depth` pixels inside an edge."""
    return np.clip(depth + np.float32(0.5), 0, 1)


def _gap_colour(thing: Thing) -> Field:
    return np.full(3, 250, dtype=np.float32)


def _ground(pattern: str, line: Field) -> Field:
    """`[size * size, 4]`: one, x and y from -1 to 1, and the pattern from -1 to 1."""
    x, y = np.meshgrid(line * 2 - 1, line * 2 - 1)
    fields = {
        "plain": lambda: np.zeros_like(x),
        "glow": lambda: 1 - np.sqrt(x * x + y * y) * 1.4,
        "waves": lambda: np.sin(7 * x + 2 * np.sin(4 * y)),
        "stripes": lambda: np.sin(14 * (x + y)),
        "checks": lambda: np.sin(11 * x) * np.sin(11 * y),
        "clouds": lambda: (np.sin(3 * x + 5 * y) + np.sin(4 * x - 3 * y + 1) + np.sin(6 * x * y + 2)) / 3,
        "rings": lambda: np.sin(12 * np.sqrt((x + 0.3) ** 2 + (y - 0.4) ** 2)),
        "weave": lambda: (np.sin(16 * x) + np.sin(16 * y)) / 2,
    }
    ones = np.ones_like(x)
    return np.stack([ones, x, y, fields[pattern]()], axis=-1).reshape(-1, 4).astype(np.float32)
