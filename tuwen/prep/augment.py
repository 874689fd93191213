"""Changes to a picture that leave what it shows the same: turned, brighter, paler, blurred."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from pydantic import Field, model_validator

from tuwen.core.rooms import PartConfig

Pixels = NDArray[np.uint8]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]

GREY = np.array([0.299, 0.587, 0.114])
"""How much red, green and blue each add to brightness (ITU-R BT.601)."""

YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
"""Red, green and blue to brightness and two differences of colour; turning these two changes the hue."""


class ViewConfig(PartConfig):
    """A second, stronger augmented view of each picture (Chen et al. 2020, arXiv:2002.05709, section 3).

    augment: `crop`: a random part of the picture, of an area in `scale` (as a share), stretched by up to `ratio`.
        `shift`: the whole, moved by up to `shift` (as a share of its side) and zoomed as in `zoom`, where size matters.
    flip: whether every other view is mirrored. rotate: degrees each way at most.
    brightness, contrast, saturation: changed by a factor from 1 - x to 1 + x. hue: turned by up to x times half the
        circle of colours. grey: how often colours are taken out. None of these where texts tell colours.
    blur: standard deviation at most, in pixels.
    """

    augment: Literal["crop", "shift"] = "crop"
    scale: tuple[Positive, Annotated[float, Field(gt=0, le=1)]] = (0.5, 1.0)
    ratio: tuple[Positive, Positive] = (3 / 4, 4 / 3)
    shift: float = Field(0.1, ge=0, lt=0.5)
    zoom: tuple[Positive, Positive] = (1.0, 1.0)
    flip: bool = False
    rotate: float = Field(0.0, ge=0, le=180)
    brightness: Share = 0.0
    contrast: Share = 0.0
    saturation: Share = 0.0
    hue: Share = 0.0
    grey: Share = 0.0
    blur: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name, (low, high) in {"scale": self.scale, "ratio": self.ratio, "zoom": self.zoom}.items():
            if low > high:
                raise ValueError(f"{name} is [least, most]; turn {[low, high]} round")
        return self


def alter(pixels: Pixels, config: ViewConfig, rng: np.random.Generator, background: tuple[int, int, int]) -> Pixels:
    """A square `[S, S, 3]`, changed at random as `config` says, but for its crop."""
    if config.flip and rng.random() < 0.5:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    if config.rotate:
        pixels = rotated(pixels, rng.uniform(-config.rotate, config.rotate), background)
    pixels = _recoloured(pixels, config, rng)
    if config.blur:
        blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(rng.uniform(0, config.blur)))
        pixels = np.array(blurred)
    return pixels


def rotated(pixels: Pixels, degrees: float, background: tuple[int, int, int]) -> Pixels:
    """A square `[S, S, 3]`, turned anticlockwise about its middle; `background` in the corners."""
    turned = Image.fromarray(pixels).rotate(degrees, Image.Resampling.BILINEAR, fillcolor=background)
    return np.array(turned)


def _recoloured(pixels: Pixels, config: ViewConfig, rng: np.random.Generator) -> Pixels:
    """Brightness, saturation and hue are one linear map of the colours, contrast draws them from their mean."""
    brightness, contrast, saturation = (
        rng.uniform(1 - most, 1 + most) for most in (config.brightness, config.contrast, config.saturation)
    )
    angle = rng.uniform(-config.hue, config.hue) * math.pi
    grey = rng.random() < config.grey
    if not (config.brightness or config.contrast or config.saturation or config.hue or grey):
        return pixels
    colours = brightness * _hue(angle) @ _saturation(0.0 if grey else saturation)
    changed = pixels.astype(np.float32) @ colours.T.astype(np.float32)
    mean = float((changed @ GREY.astype(np.float32)).mean())
    changed = mean + contrast * (changed - mean)
    recoloured: Pixels = np.clip(np.rint(changed), 0, 255).astype(np.uint8)
    return recoloured


def _saturation(factor: float) -> NDArray[np.float64]:
    """`[3, 3]`: each colour between its grey (0) and itself (1), or beyond."""
    return factor * np.eye(3) + (1 - factor) * np.tile(GREY, (3, 1))


def _hue(angle: float) -> NDArray[np.float64]:
    """`[3, 3]`: colours turned about the grey axis, their brightness unchanged."""
    turn = np.eye(3)
    turn[1:, 1:] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    return np.linalg.inv(YIQ) @ turn @ YIQ
