"""The shapes as signed distances: negative inside, zero on the edge, in units of a thing's radius.

`u` points right and `v` down, both `[h, w]` float32. Distances are exact near an edge and keep corners sharp inside,
which is what an outline of even width wants; far away they are only a lower bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[Any]
"""A float32 number for every pixel of a window."""
Distance = Callable[[Field, Field], Field]


def circle(u: Field, v: Field) -> Field:
    """A disc."""
    return _length(u, v) - 0.95


def square(u: Field, v: Field) -> Field:
    """A square on its side."""
    return np.maximum(np.abs(u), np.abs(v)) - 0.79


def triangle(u: Field, v: Field) -> Field:
    """An equilateral triangle that points up."""
    w = v - 0.1
    return np.maximum(np.abs(u) * math.sqrt(0.75) - w * 0.5, w) - 0.6


def star(u: Field, v: Field) -> Field:
    """A five-pointed star, folded upon itself until one edge is left."""
    across, up = np.abs(u), -v
    for normal_x, normal_y in _FOLDS:
        beyond = np.maximum(across * (2 * normal_x) + up * (2 * normal_y), 0)
        across -= beyond * normal_x
        up -= beyond * normal_y
    return np.abs(across) * _EDGE[0] + (up - _TIP) * _EDGE[1]


def cross(u: Field, v: Field) -> Field:
    """A plus sign."""
    across, down = np.abs(u), np.abs(v)
    ends: Field = np.maximum(across, down) - 1
    sides: Field = np.minimum(across, down) - 0.39
    return np.maximum(ends, sides)


def diamond(u: Field, v: Field) -> Field:
    """A rhombus that stands on its point."""
    wide, high = 0.86, 1.2
    scale = 1 / math.hypot(wide, high)
    return np.abs(u) * (high * scale) + np.abs(v) * (wide * scale) - wide * high * scale


def heart(u: Field, v: Field) -> Field:
    """A heart: a square that stands on its point, with half a disc on each of its upper sides."""
    half = 0.63
    corner, middle = half * math.sqrt(2), half * math.sqrt(0.5)
    across, down = np.abs(u), v - 0.146 * half
    disc = _length(across - middle, down + middle) - half
    body = np.maximum((across + down) * math.sqrt(0.5) - half, -_length(across, down + corner))
    return np.where(across - down > corner, disc, body)


def semicircle(u: Field, v: Field) -> Field:
    """The upper half of a disc."""
    w = v - 0.5
    return np.maximum(_length(u, w) - 1.16, w)


def _length(x: Field, y: Field) -> Field:
    length: Field = np.sqrt(x * x + y * y)
    return length


_TIP, _WAIST = 1.18, 0.56
_FIFTH = math.tau / 10
_FOLDS = ((math.cos(_FIFTH), -math.sin(_FIFTH)), (-math.cos(_FIFTH), -math.sin(_FIFTH)))
_RUN, _RISE = _WAIST * math.sin(_FIFTH), _TIP - _WAIST * math.cos(_FIFTH)
_EDGE = (_RISE / math.hypot(_RUN, _RISE), _RUN / math.hypot(_RUN, _RISE))

DISTANCES: dict[str, Distance] = {
    shape.__name__: shape for shape in (circle, square, triangle, star, cross, diamond, heart, semicircle)
}
_STEPS = 720


def reaches() -> dict[str, list[float]]:
    """How far each shape reaches in each of 720 directions (its support function), in units of its radius."""
    line = np.linspace(-1.5, 1.5, 751, dtype=np.float32)
    u, v = np.meshgrid(line, line)
    turns = np.arange(_STEPS) * (math.tau / _STEPS)
    directions = np.stack([np.cos(turns), np.sin(turns)])
    found = {}
    for name, distance in DISTANCES.items():
        edge = abs(distance(u, v)) < 0.004
        points = np.stack([u[edge], v[edge]], axis=1)
        found[name] = (points @ directions).max(axis=0).tolist()
    return found


_REACHES = reaches()
FARTHEST: dict[str, float] = {shape: max(reach) for shape, reach in _REACHES.items()}
"""No point of a shape lies farther from its centre, in units of its radius."""


def box(shape: str, x: float, y: float, radius: float, angle: float) -> tuple[float, float, float, float]:
    """The tight box `(x0, y0, x1, y1)` around a shape that is turned clockwise by `angle` radians."""
    reach = _REACHES[shape]
    right = round(-angle * (_STEPS / math.tau))
    quarter = _STEPS // 4
    return (
        x - radius * reach[(right + 2 * quarter) % _STEPS],
        y - radius * reach[(right + 3 * quarter) % _STEPS],
        x + radius * reach[right % _STEPS],
        y + radius * reach[(right + quarter) % _STEPS],
    )
