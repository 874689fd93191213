"""Picture files to pixels: any format, any colour mode, turned the right way up, and never a crash."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    IcoImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    QoiImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ImageFile import ImageFile

from tuwen.core.errors import SampleError
from tuwen.core.sample import Picture
from tuwen.prep.jpeg import MAGIC as JPEG
from tuwen.prep.jpeg import JpegHeader, orientation

P = ParamSpec("P")
T = TypeVar("T")

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

REDUCTIONS = (8, 4, 2, 1)
"""By how much libjpeg-turbo decodes smaller for less work; other ratios cost more than the full size does."""

# Formats beside JPEG that only decode. Others run programs (EPS) or read other files: pictures come from anywhere.
_FORMATS: tuple[type[ImageFile], ...] = (
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
    GifImagePlugin.GifImageFile,
    BmpImagePlugin.BmpImageFile,
    TiffImagePlugin.TiffImageFile,
    AvifImagePlugin.AvifImageFile,
    Jpeg2KImagePlugin.Jpeg2KImageFile,
    PpmImagePlugin.PpmImageFile,
    IcoImagePlugin.IcoImageFile,
    QoiImagePlugin.QoiImageFile,
)

_NOT_PICTURES = (
    (b"version https://git-lfs", "a Git LFS pointer: run `git lfs pull` to fetch the picture"),
    (b"<svg", "an SVG drawing: render it to PNG first"),
    (b"<?xml", "an XML or SVG file: render it to PNG first"),
    (b"<!doctype", "a web page saved under a picture's name: download it again"),
    (b"<html", "a web page saved under a picture's name: download it again"),
    (b"%pdf", "a PDF: render its pages to PNG first"),
    (b"%!ps", "a PostScript file: render it to PNG first"),
)


class EncodedPicture:
    """A picture file whose header was read, and whose pixels were not yet.

    Args:
        data: the file's bytes.
        key: names the sample in errors.
        max_pixels: more are never decoded. A JPEG over it is decoded at a reduced scale, any other refused.

    Attributes:
        width, height: in pixels, as a viewer shows the picture (after the rotation that EXIF asks for).

    Raises:
        SampleError: it is not a picture, or too large a one.
    """

    def __init__(self, data: bytes, key: str, max_pixels: int) -> None:
        self._data, self._key = data, key
        self._jpeg: JpegHeader | None = None
        if data.startswith(JPEG):
            self._jpeg = _guarded(key, JpegHeader.read, data)
            width, height = self._jpeg.width, self._jpeg.height
            self._turn = orientation(self._jpeg.exif)
        else:
            self._image = _open(data, key)
            width, height = self._image.size
            self._turn = _turn(self._image)
        self.width, self.height = (height, width) if self._turn >= 5 else (width, height)
        self._least_reduction = self._reduce_below(max_pixels)

    def decode(self, background: Colour, reduction: int = 1) -> Pixels:
        """`[H, W, 3]` uint8, RGB, upright.

        Args:
            background: what a transparent picture is laid upon.
            reduction: one of `REDUCTIONS`. A JPEG comes out that many times smaller (rounded up); other formats do not.

        Raises:
            SampleError: the file is cut short or broken.
        """
        return _guarded(self._key, self._decode, background, max(reduction, self._least_reduction))

    def _decode(self, background: Colour, reduction: int) -> Pixels:
        if self._jpeg is not None:
            return _upright(_decode_jpeg(self._data, self._jpeg, reduction), self._turn)
        self._image.load()
        return _upright(_rgb(self._image, background), self._turn)

    def _reduce_below(self, max_pixels: int) -> int:
        pixels = self.width * self.height
        if pixels <= max_pixels:
            return 1
        # A progressive JPEG is held in memory whole, whatever the scale it is decoded at.
        if self._jpeg is not None and self._jpeg.baseline:
            for reduction in reversed(REDUCTIONS):
                if pixels <= max_pixels * reduction**2:
                    return reduction
        raise SampleError(
            self._key,
            f"too large: {self.width} x {self.height} is {pixels / 1e6:.0f} megapixels, over the limit of "
            f"{max_pixels / 1e6:g}; make it smaller, or raise the limit (`max_megapixels`)",
        )


def opened(image: Image.Image, background: Colour) -> Pixels:
    """A picture that Pillow has opened or made, as its file would be decoded: `[H, W, 3]` uint8, RGB, upright."""
    return _upright(_rgb(image, background), _turn(image))


def read(picture: Picture, key: str) -> Pixels | bytes:
    """Pixels `[H, W, 3]` as they are, or the bytes of a picture file.

    Raises:
        SampleError: the file is missing, unreadable or empty, or the array is not a picture.
    """
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
            raise SampleError(key, f"pixels must be [H, W, 3] uint8, got {list(picture.shape)} {picture.dtype}")
        return picture
    if isinstance(picture, Path):
        path = picture
        try:
            picture = path.read_bytes()
        except OSError as error:
            raise SampleError(key, f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    if not picture:
        raise SampleError(key, "the file is empty (0 bytes)")
    return picture


def _guarded(key: str, decode: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a decoder. On broken files decoders fail in every way there is, and each is the sample's fault alone."""
    try:
        return decode(*args, **kwargs)
    except Exception as error:
        raise SampleError(key, f"the picture cannot be decoded: {str(error) or type(error).__name__}") from error


def _open(data: bytes, key: str) -> ImageFile:
    """Read the header. `Image.open` is not used: its limit of size is a setting of the whole process."""
    for kind in _FORMATS:
        _, accepts = Image.OPEN[kind.format or ""]
        if accepts is None or accepts(data[:16]) is True:
            return _guarded(key, kind, io.BytesIO(data))
    start = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for magic, what in _NOT_PICTURES:
        if start.startswith(magic):
            raise SampleError(key, f"not a picture but {what}")
    known = ", ".join(["JPEG", *(str(kind.format) for kind in _FORMATS)])
    raise SampleError(key, f"not a picture in a format that can be read ({known}); it starts with {data[:8]!r}")


def _decode_jpeg(data: bytes, header: JpegHeader, reduction: int) -> Pixels:
    """As stored. By libjpeg-turbo; where it objects, or the colours are those of print, by Pillow."""
    width, height = -(-header.width // reduction), -(-header.height // reduction)
    if header.channels in (1, 3):
        try:
            # What is decoded smaller is no exact picture anyway: then the faster transform will do.
            rough = {"fastdct": reduction > 1, "fastupsample": reduction > 1}
            pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width, **rough)
            return pixels
        except ValueError:  # nothing is lost: Pillow says what is wrong, if anything is
            pass
    with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as image:
        image.draft(None, (width, height))
        return np.array(image.convert("RGB"))


def _rgb(image: Image.Image, background: Colour) -> Pixels:
    """`[H, W, 3]` of a loaded picture of any mode."""
    if image.mode.startswith(("I", "F")):  # I;16, I;16B, I and F: one channel of more than 8 bits
        grey = _eight_bits(np.asarray(image))
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        flat = Image.new("RGB", layer.size, background)
        flat.paste(layer, mask=layer)
        return np.array(flat)
    return np.array(image.convert("RGB"))


def _eight_bits(values: NDArray[np.generic]) -> Pixels:
    """Grey values of more than 8 bits as 8. Integers are 16-bit values; floats are those, or bytes, or shares of 1."""
    numbers = np.nan_to_num(values.astype(np.float32), posinf=np.inf, neginf=0)
    tops = (1.0, 255.0, 65535.0) if np.issubdtype(values.dtype, np.floating) else (65535.0,)
    top = next((top for top in tops if numbers.max() <= top), 65535.0)
    return (numbers.clip(0, top) * (255 / top) + 0.5).astype(np.uint8)


def _turn(image: Image.Image) -> int:
    """EXIF orientation, 1 (upright) to 8. Pillow itself turns TIFF and AVIF as it decodes them."""
    if image.format in ("TIFF", "AVIF"):
        return 1
    exif = image.info.get("exif")
    return orientation(exif) if isinstance(exif, bytes) else 1


def _upright(pixels: Pixels, turn: int) -> Pixels:
    """Undo an EXIF orientation. `[H, W, 3]`, contiguous."""
    if turn >= 5:
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
