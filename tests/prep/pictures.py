"""Pictures for tests of their preparation."""

import io

import numpy as np
from PIL import Image

from tuwen.prep.images import ImageConfig, ImagePrep

RED, WHITE = (200, 30, 40), (255, 255, 255)


def scene(width: int = 64, height: int = 48) -> Image.Image:
    """A smooth picture without symmetry, so that a wrong rotation, crop or channel order shows."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    channels = [250 * x, 250 * y, 125 * (1 + np.sin(6 * x * y))]
    return Image.fromarray(np.stack(channels, -1).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def prep(**settings: object) -> ImagePrep:
    return ImagePrep(ImageConfig.model_validate(settings))


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference, of 255."""
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b.astype(int)).mean())
