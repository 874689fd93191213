"""Pictures to the model's uint8 squares. They are normalised on the device, by the model."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Picture
from tuwen.prep.augment import ViewConfig, alter, rotated
from tuwen.prep.cropping import Interpolation, Region, Resize, inner, lay, middle, random_crop, random_shift, whole
from tuwen.prep.decoding import REDUCTIONS, EncodedPicture, read

Byte = Annotated[int, Field(ge=0, le=255)]
Positive = Annotated[float, Field(gt=0)]


class ImageConfig(PartConfig):
    """How a picture is made to fit the model.

    size: side of the model's square, in pixels.
    resize: `squash` the whole picture into it, `crop` its largest centred square, or `pad` it with `background`.
    shortest: for `crop`: resize the picture until its shorter side has so many pixels, then take the middle, as the
        preprocessing of pretrained models does; the largest centred square where null. Pixels `[size, size, 3]` that
        are given as an array are taken to be prepared already.
    interpolation: how pixels are resampled, always anti-aliased.
    background: RGB; what transparent pictures are laid upon, and what pads.
    augment: in training alone. `crop`: a random part of the picture, of an area in `scale` (as a share) and stretched
        by up to `ratio`. `shift`: the whole, moved by up to `shift` (as a share of its side) and zoomed as in `zoom`.
    flip: whether training mirrors every other picture. Off, because texts speak of left and right.
    rotate: degrees that training turns pictures by at most, each way.
    view: how training augments each picture a second time, for objectives that compare two views; or none.
    exact: decode JPEGs in full, as others do. Otherwise one is decoded at half, a quarter or an eighth of its scale
        where the model's square needs no more pixels than that: faster, and hardly another picture.
    max_megapixels: larger pictures are refused unread, but for JPEGs that can be decoded smaller than that.
    mean, std: the model reads `(pixel / 255 - mean) / std`, for red, green and blue.
    """

    size: int = Field(128, ge=1, le=4096)
    resize: Resize = "squash"
    shortest: int | None = Field(None, ge=1)
    interpolation: Interpolation = "bilinear"
    background: tuple[Byte, Byte, Byte] = (255, 255, 255)
    augment: Literal["none", "crop", "shift"] = "none"
    scale: tuple[Positive, Annotated[float, Field(gt=0, le=1)]] = (0.5, 1.0)
    ratio: tuple[Positive, Positive] = (3 / 4, 4 / 3)
    shift: float = Field(0.1, ge=0, lt=0.5)
    zoom: tuple[Positive, Positive] = (0.9, 1.1)
    flip: bool = False
    rotate: float = Field(0.0, ge=0, le=180)
    view: ViewConfig | None = None
    exact: bool = False
    max_megapixels: float = Field(100, gt=0)
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[Positive, Positive, Positive] = (0.5, 0.5, 0.5)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name, (low, high) in {"scale": self.scale, "ratio": self.ratio, "zoom": self.zoom}.items():
            if low > high:
                raise ValueError(f"{name} is [least, most]; turn {[low, high]} round")
        if self.shortest is not None and (self.resize != "crop" or self.shortest < self.size):
            raise ValueError("shortest is for `resize: crop`, and no smaller than size; set it to null")
        return self

    @property
    def moving(self) -> dict[str, str | float]:
        """The settings by which things may come to stand elsewhere in the model's square than in the picture.

        Each with the value that leaves them where they are.
        """
        still: dict[str, str | float] = {"resize": "squash", "augment": "none", "flip": False, "rotate": 0.0}
        return {f"image.{name}": value for name, value in still.items() if getattr(self, name) != value}


class ImagePrep:
    """Makes any picture the model's square, in training (with augmentation) and in use by the same path."""

    def __init__(self, config: ImageConfig) -> None:
        self.config = config
        self._max_pixels = round(config.max_megapixels * 1e6)
        self._crop = None if config.view is None else ImagePrep(_cropping(config, config.view))

    def decode(self, picture: Picture, key: str) -> NDArray[np.uint8]:
        """The whole picture, `[H, W, 3]` uint8, RGB, upright. A JPEG over `max_megapixels` comes out smaller.

        Raises:
            SampleError: it is missing, unreadable, broken or too large.
        """
        found = read(picture, key)
        if isinstance(found, np.ndarray):
            return found
        return EncodedPicture(found, key, self._max_pixels).decode(self.config.background)

    def __call__(self, picture: Picture, key: str, rng: np.random.Generator | None) -> NDArray[np.uint8]:
        """The model's square, `[size, size, 3]` uint8, RGB.

        Args:
            picture: pixels, a file's bytes or its path. Pixels that need no change are handed on, not copied.
            key: names the sample in errors.
            rng: draws the augmentation; None for evaluation and use, which have none.

        Raises:
            SampleError: it is missing, unreadable, broken or too large.
        """
        found = read(picture, key)
        if isinstance(found, np.ndarray):
            height, width, _ = found.shape
            region = self._region(width, height, rng)
            square = found if self._is_prepared(found, region) else self._lay(found, region, (width, height))
        else:
            square = self._decode_and_lay(EncodedPicture(found, key, self._max_pixels), rng)
        if rng is not None and self.config.rotate:
            square = rotated(square, rng.uniform(-self.config.rotate, self.config.rotate), self.config.background)
        mirrored = self.config.flip and rng is not None and rng.random() < 0.5
        return np.ascontiguousarray(square[:, ::-1]) if mirrored else square

    def view(self, picture: Picture, key: str, rng: np.random.Generator) -> NDArray[np.uint8] | None:
        """The picture as `view` augments it, `[size, size, 3]` uint8; None where there is no such setting.

        Raises:
            SampleError: it is missing, unreadable, broken or too large.
        """
        if self._crop is None or self.config.view is None:
            return None
        return alter(self._crop(picture, key, rng), self.config.view, rng, self.config.background)

    def _decode_and_lay(self, file: EncodedPicture, rng: np.random.Generator | None) -> NDArray[np.uint8]:
        """Choose the region first, so that no more pixels are decoded than it needs."""
        region = self._region(file.width, file.height, rng)
        enough = 1.0 if self.config.exact else min(region.width, region.height) / self.config.size
        reduction = next((factor for factor in REDUCTIONS if factor <= enough), 1)
        return self._lay(file.decode(self.config.background, reduction), region, (file.width, file.height))

    def _is_prepared(self, pixels: NDArray[np.uint8], region: Region) -> bool:
        """Whether an array is a square of the model's size already, of which all is to be seen (see `shortest`)."""
        size = self.config.size
        return (
            self.config.shortest is not None and pixels.shape[:2] == (size, size) and region == self._whole(size, size)
        )

    def _region(self, width: int, height: int, rng: np.random.Generator | None) -> Region:
        config = self.config
        if rng is not None and config.augment == "crop":
            return random_crop(width, height, config.resize, rng, config.scale, config.ratio)
        seen = self._whole(width, height)
        if rng is not None and config.augment == "shift":
            return random_shift(seen, rng, config.shift, config.zoom)
        return seen

    def _whole(self, width: int, height: int) -> Region:
        config = self.config
        seen = whole(width, height, config.resize)
        return seen if config.shortest is None else inner(seen, config.size / config.shortest)

    def _lay(self, pixels: NDArray[np.uint8], region: Region, frame: tuple[int, int]) -> NDArray[np.uint8]:
        config = self.config
        if config.shortest is not None and region == self._whole(*frame):
            return middle(pixels, frame, config.size, config.shortest, config.interpolation)
        return lay(pixels, region, frame, config.size, config.background, config.interpolation)


def _cropping(config: ImageConfig, view: ViewConfig) -> ImageConfig:
    """The settings with the crop of a view, and no other augmentation."""
    crop = view.model_dump(include={"augment", "scale", "ratio", "shift", "zoom"})
    return config.model_copy(update={**crop, "flip": False, "rotate": 0.0, "view": None})
