"""Which part of a picture becomes the model's square, and how it is laid into it."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

Pixels = NDArray[np.uint8]
Resize = Literal["squash", "crop", "pad"]
Interpolation = Literal["bilinear", "bicubic"]


class Region(NamedTuple):
    """A rectangle of a picture, in pixels from its upper left corner. It may reach beyond the picture."""

    left: float
    top: float
    width: float
    height: float


def whole(width: int, height: int, resize: Resize) -> Region:
    """What is seen without augmentation.

    `squash`: all of it. `crop`: the largest centred square inside. `pad`: the smallest centred square around.
    """
    if resize == "squash":
        return Region(0, 0, width, height)
    side = min(width, height) if resize == "crop" else max(width, height)
    return Region((width - side) / 2, (height - side) / 2, side, side)


def inner(region: Region, share: float) -> Region:
    """The middle of a region, `share` of its sides wide and high."""
    across, down = region.width * share, region.height * share
    return Region(region.left + (region.width - across) / 2, region.top + (region.height - down) / 2, across, down)


def random_crop(
    width: int,
    height: int,
    resize: Resize,
    rng: np.random.Generator,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> Region:
    """A part of random area, shape and place (Szegedy et al. 2015, "Going Deeper with Convolutions", section 6).

    It lies within the picture (for `pad`, within the padded square). `scale` is the part's share of that area, and
    `ratio` how much wider or narrower than without augmentation it may be seen.
    """
    frame = whole(width, height, "pad") if resize == "pad" else Region(0, 0, width, height)
    aspect = width / height if resize == "squash" else 1.0
    narrowest, widest = math.log(ratio[0]), math.log(ratio[1])
    for _ in range(10):  # `rng.uniform` would draw the same numbers, and take six times as long to do it
        area = (scale[0] + (scale[1] - scale[0]) * rng.random()) * frame.width * frame.height
        shape = aspect * math.exp(narrowest + (widest - narrowest) * rng.random())
        across, down = math.sqrt(area * shape), math.sqrt(area / shape)
        if across <= frame.width and down <= frame.height:
            left = frame.left + rng.uniform(0, frame.width - across)
            return Region(left, frame.top + rng.uniform(0, frame.height - down), across, down)
    return whole(width, height, resize)


def random_shift(region: Region, rng: np.random.Generator, shift: float, zoom: tuple[float, float]) -> Region:
    """The region moved by up to `shift` of its sides each way, and seen `zoom` times as large."""
    factor = math.exp(rng.uniform(math.log(zoom[0]), math.log(zoom[1])))
    across, down = region.width / factor, region.height / factor
    left = region.left + (region.width - across) / 2 + rng.uniform(-shift, shift) * region.width
    top = region.top + (region.height - down) / 2 + rng.uniform(-shift, shift) * region.height
    return Region(left, top, across, down)


def lay(
    pixels: Pixels,
    region: Region,
    frame: tuple[int, int],
    size: int,
    background: tuple[int, int, int],
    interpolation: Interpolation,
) -> Pixels:
    """The region of a picture as a square `[size, size, 3]`, `background` where it reaches beyond.

    Args:
        pixels: `[H, W, 3]`, the picture, perhaps decoded smaller than it is.
        region: in pixels of the full-sized picture.
        frame: width and height of the full-sized picture.
    """
    columns, across = _span(region.left, region.width, frame[0], pixels.shape[1], size)
    rows, down = _span(region.top, region.height, frame[1], pixels.shape[0], size)
    inside = resized(pixels[rows, columns], down.stop - down.start, across.stop - across.start, interpolation)
    if inside.shape[:2] == (size, size):
        return np.ascontiguousarray(inside)
    square = np.empty((size, size, 3), np.uint8)
    square[:] = background
    square[down, across] = inside
    return square


def middle(pixels: Pixels, frame: tuple[int, int], size: int, shortest: int, interpolation: Interpolation) -> Pixels:
    """The middle `[size, size, 3]` of the whole picture, resized until its shorter side has `shortest` pixels.

    This is how pretrained models see a picture. It differs from cutting first and resizing then at the edges, whose
    neighbours count here, and in how sizes are rounded.

    Args:
        pixels: `[H, W, 3]`, the picture, perhaps decoded smaller than it is.
        frame: width and height of the full-sized picture.
    """
    across, down = (shortest * side // min(frame) for side in frame)
    left, top = (across - size) // 2, (down - size) // 2
    seen = resized(pixels, down, across, interpolation)
    return np.ascontiguousarray(seen[top : top + size, left : left + size])


def resized(pixels: Pixels, height: int, width: int, interpolation: Interpolation) -> Pixels:
    """`[H, W, 3]` to `[height, width, 3]`, anti-aliased: what Pillow does, to within 2 of 255, four times faster."""
    if pixels.shape[:2] == (height, width):
        return pixels
    # A batch of one, then permuted: so PyTorch sees channels last and takes its vectorised path, out as in.
    own = np.require(pixels, requirements=("C", "W"))  # what is only lent for reading is copied: PyTorch wants to write
    rows = torch.from_numpy(own)[None].permute(0, 3, 1, 2)
    seen: Pixels = F.interpolate(rows, (height, width), mode=interpolation, antialias=True)[0].permute(1, 2, 0).numpy()
    return seen


def _span(start: float, length: float, full: int, decoded: int, size: int) -> tuple[slice, slice]:
    """Along one axis: which of the decoded pixels are seen, and which of the square's they fill; at least one each."""
    begin, pixels = _round(start), max(1, _round(length))
    first = min(max(begin, 0), full - 1)
    last = max(min(begin + pixels, full), first + 1)
    filled = min(max(_round((last - first) / pixels * size), 1), size)
    into = min(max(_round((first - begin) / pixels * size), 0), size - filled)
    first = min(_round(first * decoded / full), decoded - 1)
    last = max(_round(last * decoded / full), first + 1)
    return slice(first, last), slice(into, into + filled)


def _round(value: float) -> int:
    """Halves up, so that moving a region by a pixel moves what it shows by a pixel."""
    return math.floor(value + 0.5)
