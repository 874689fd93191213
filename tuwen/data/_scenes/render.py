"""Scenes as pictures, with analytic anti-aliasing: a pixel's share of a shape follows from its signed distance.

Each thing is worked out only inside its box, so a picture costs little more than its background. Pictures are worked on
as `[size, 3 * size]`, the three channels of a pixel side by side: long rows are what numpy is quick at.
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
_GAP = 250.0
_NOISE = 2.5


class Renderer:
    """Draws scenes as `[size, size, 3]` uint8 pictures."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._line = ((np.arange(size) + 0.5) / size).astype(np.float32)
        self._slack = min(size, 64)
        sheet = size + self._slack
        noise = np.random.default_rng(0).normal(0, _NOISE, (sheet, 3 * sheet)).astype(np.float32)
        self._noise = noise.clip(-2 * _NOISE, 2 * _NOISE)
        self._grounds: dict[str, Field] = {}

    def __call__(self, scene: Scene) -> NDArray[np.uint8]:
        """The picture of a scene; what a thing has outside the picture is cut off."""
        canvas = self._background(scene.background)
        for thing in scene.things:
            self._draw(canvas, thing)
        return canvas.astype(np.uint8).reshape(self.size, self.size, 3)

    def _background(self, ground: Background) -> Field:
        """`[size, 3 * size]` float32, 0.5 up, so that cutting off the fraction rounds."""
        basis = self._grounds.get(ground.pattern)
        if basis is None:
            basis = self._grounds[ground.pattern] = _ground(ground.pattern, self._line)
        red, green, blue = ground.rgb
        weights = np.array(
            ((red + 0.5, green + 0.5, blue + 0.5), ground.slope_x, ground.slope_y, ground.tint), dtype=np.float32
        )
        size = self.size
        canvas: Field = (basis @ weights).reshape(size, 3 * size)
        left, top = 3 * int(ground.noise[0] * self._slack), int(ground.noise[1] * self._slack)
        canvas += self._noise[top : top + size, left : left + 3 * size]
        return canvas

    def _draw(self, canvas: Field, thing: Thing) -> None:
        size = self.size
        look, radius = thing.attributes, thing.radius
        shape, scale, texture = look.shape, look.size, look.texture
        left, top, right, bottom = box(shape, thing.x, thing.y, radius, thing.angle)
        first, last = max(0, int(left * size) - 1), min(size, int(right * size) + 2)
        above, below = max(0, int(top * size) - 1), min(size, int(bottom * size) + 2)
        if first >= last or above >= below:
            return
        across = self._line[first:last] - thing.x
        down = self._line[above:below, None] - thing.y
        cos, sin = math.cos(thing.angle) / radius, math.sin(thing.angle) / radius
        u = across * cos + down * sin
        v = down * cos - across * sin
        depth = DISTANCES[shape](u, v)
        depth *= -radius * size
        cover = np.minimum(depth, _OUTLINE[scale] * size - depth) if texture == "outlined" else depth
        colour = np.empty((last - first, 3), dtype=np.float32)
        colour[:] = thing.rgb
        row = colour.reshape(-1)
        window = canvas[above:below, 3 * first : 3 * last]
        change = row - window
        change *= _share(cover).repeat(3, axis=1)
        window += change
        if texture in ("striped", "dotted"):
            inside = np.minimum(self._gaps(thing, u, v), depth - _RIM * size)
            window += _share(inside).repeat(3, axis=1) * (_GAP - row)

    def _gaps(self, thing: Thing, u: Field, v: Field) -> Field:
        """How deep, in pixels, a place lies in a pale stripe or dot."""
        scale = thing.attributes.size
        cos, sin = math.cos(thing.grain) * thing.radius, math.sin(thing.grain) * thing.radius
        if thing.attributes.texture == "striped":
            period = _STRIPE[scale]
            phase = u * (cos / period) + v * (sin / period)
            phase -= np.rint(phase)
            return (abs(phase) - 0.25) * (period * self.size)
        spacing = _SPACING[scale]
        along = u * (cos / spacing) + v * (sin / spacing)
        beside = v * (cos / spacing) - u * (sin / spacing)
        along -= np.rint(along)
        beside -= np.rint(beside)
        return _DOT[scale] * self.size - np.sqrt(along * along + beside * beside) * (spacing * self.size)


def _share(depth: Field) -> Field:
    """How much of a pixel is covered whose centre lies `depth` pixels inside an edge."""
    return (depth + 0.5).clip(0, 1)


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
