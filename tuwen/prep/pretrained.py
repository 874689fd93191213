"""How pretrained encoders want their pictures: read from the files of a checkpoint, and never assumed.

A checkpoint of Transformers says in `preprocessor_config.json` how it resizes, crops and normalises. These steps become
settings of `ImageConfig`, so that one path prepares all pictures; a probe picture goes through both, and a processor
that does anything else is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from tuwen.core.errors import CheckpointError
from tuwen.core.rooms import PartConfig, explain
from tuwen.layers.pretrained import folder_of, opening
from tuwen.prep.images import ImageConfig, ImagePrep

TOLERANCE = 3.0
"""By how much of 255 a pixel may differ from that of the checkpoint's own processor: resampling rounds differently."""

_INTERPOLATIONS = {2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of the filters that are used here."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a pretrained part decides for its recipe.

    config: its settings with all that its files say, from which it can be built again without them.
    image: settings of `ImageConfig`, where it reads pictures.
    tokenizer: the checkpoint whose tokenizer its texts must come from, and its revision, where it reads texts.
    """

    config: PartConfig
    image: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: tuple[str, str | None] | None = None


def image_settings(name: str, revision: str | None) -> dict[str, Any]:
    """The preprocessing of a checkpoint, as settings of `ImageConfig`.

    Raises:
        CheckpointError: it has none, or does something that these settings cannot say.
    """
    from transformers import AutoImageProcessor

    with opening(name):
        processor = AutoImageProcessor.from_pretrained(folder_of(name), revision=revision, backend="pil")
    settings = {**_geometry(processor, name), **_numbers(processor)}
    try:
        config = ImageConfig(**settings)
    except ValidationError as error:
        raise _unknown(name, f"asks for {settings}, of which {explain(error)[0][1]}") from error
    _compare(processor, config, name)
    return settings


def _geometry(processor: Any, name: str) -> dict[str, Any]:
    """Size, crop and resampling."""
    size, crop = _sides(processor.size), _sides(getattr(processor, "crop_size", None))
    interpolation = _INTERPOLATIONS.get(int(processor.resample))
    if interpolation is None or not processor.do_resize:
        raise _unknown(name, f"resamples with Pillow's filter {processor.resample}; bilinear and bicubic are known")
    shortest = size.get("shortest_edge")
    share = getattr(processor, "crop_pct", None)
    if shortest is not None and share is not None:  # one number for both sides, as ConvNeXt has it (PIL backend)
        if shortest >= 384:
            return {"size": shortest, "resize": "squash", "interpolation": interpolation}
        return {"size": shortest, "resize": "crop", "shortest": int(shortest / share), "interpolation": interpolation}
    if shortest is not None and processor.do_center_crop:
        return {"size": crop["height"], "resize": "crop", "shortest": shortest, "interpolation": interpolation}
    if size.get("height") and not processor.do_center_crop:
        return {"size": size["height"], "resize": "squash", "interpolation": interpolation}
    raise _unknown(name, f"resizes to {size} and crops to {crop or 'nothing'}")


def _numbers(processor: Any) -> dict[str, Any]:
    """Mean and standard deviation of pixels in 0..1, whatever the processor scales them by."""
    scale = 255 * (processor.rescale_factor if processor.do_rescale else 1.0)
    mean, std = (processor.image_mean, processor.image_std) if processor.do_normalize else ([0.0] * 3, [1.0] * 3)
    return {"mean": tuple(value / scale for value in mean), "std": tuple(value / scale for value in std)}


def _compare(processor: Any, config: ImageConfig, name: str) -> None:
    """A picture through the processor and through these settings: the same numbers, but for rounding."""
    picture = _probe(config.size)
    seen = np.asarray(processor(picture, return_tensors="np")["pixel_values"])[0]
    ours = normalised(ImagePrep(config)(picture, "a probe", None), config)
    if seen.shape != ours.shape:
        raise _unknown(name, f"makes a picture of {list(seen.shape)} numbers, where {list(ours.shape)} were expected")
    off = float((np.abs(seen - ours) * np.array(config.std)[:, None, None]).max()) * 255
    if off > TOLERANCE:
        raise _unknown(name, f"gives pixels that differ by up to {off:.0f} of 255 from resizing, cropping, normalising")


def normalised(pixels: NDArray[np.uint8], config: ImageConfig) -> NDArray[np.float32]:
    """`[S, S, 3]` uint8 → `[3, S, S]`, as the model's first layer reads it."""
    numbers = (pixels / 255 - np.array(config.mean)) / np.array(config.std)
    return numbers.transpose(2, 0, 1).astype(np.float32)


def _probe(size: int) -> NDArray[np.uint8]:
    """A picture that is wider than high, with coarse and fine detail in every colour."""
    rng = np.random.default_rng(0)
    height, width = size + size // 2 + 3, 2 * size + 7
    coarse = rng.integers(0, 160, (-(-height // 16), -(-width // 16), 3)).repeat(16, 0).repeat(16, 1)
    return (coarse[:height, :width] + rng.integers(0, 96, (height, width, 3))).astype(np.uint8)


def _sides(size: Any) -> dict[str, int]:
    return {} if size is None else {key: int(value) for key, value in dict(size).items() if value is not None}


def _unknown(name: str, what: str) -> CheckpointError:
    return CheckpointError(f"{name}: its pictures are prepared in a way that is not known here: its processor {what}.")
