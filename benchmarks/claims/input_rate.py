"""From the bytes of a JPEG to the model's square, by a random crop: one core, against open_clip's training transform.

Held equal: the photographs (640 x 480, and 12-megapixel ones made from them), the share of the picture that is cropped
(0.9 to 1), the sides of the result (224), one thread. Not equal, because it is the point: we decode at a reduced scale
where that has pixels enough, crop before we resize, and hand over bytes, to be normalised on the device; open_clip
decodes in full and hands over float32. Both interpolations are reported; open_clip's is bicubic.
Seconds are those of the processor, so that what else runs on the machine counts little.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _claim import report
from _peers import import_open_clip, with_peer
from _times import ROUNDS, ratio, spread

DEFAULT = Path(__file__).parents[3] / "shared" / "data" / "bccd"
SIZE, SCALE, PHOTOGRAPHS, LARGE = 224, (0.9, 1.0), 100, 6
ASKED = {"ratio": ">= 6", "mean_absolute_difference": "<= 3"}


def main() -> None:
    """Both ways in turn over the same photographs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(os.environ.get("TUWEN_BCCD", DEFAULT)))
    folder: Path = parser.parse_args().folder
    files = sorted(folder.rglob("*.jpg"))[:PHOTOGRAPHS]
    if not files:
        sys.exit(f"{folder}: no .jpg there; name a folder of photographs, or set TUWEN_BCCD.")
    with_peer("open_clip")
    import torch

    torch.set_num_threads(1)
    import_open_clip()
    began = time.perf_counter()
    photographs = [file.read_bytes() for file in files]
    usual, large = measure(photographs), measure([enlarged(photograph) for photograph in photographs[:LARGE]])
    values = {
        "ratio": usual["ratio"],
        "mean_absolute_difference": difference(photographs),
        "photographs_640x480": usual,
        "photographs_4000x3000": large,
    }
    report("input_rate", values, ASKED, time.perf_counter() - began)


def measure(photographs: Sequence[bytes]) -> dict[str, Any]:
    """Photographs a second, each way, and the ratios to open_clip."""
    ways: dict[str, Callable[[bytes], object]] = {
        "open_clip": open_clip_transform(),
        "bilinear": our_transform("bilinear"),
        "bicubic": our_transform("bicubic"),
        "bilinear_exact": our_transform("bilinear", exact=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(photographs[0])
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.process_time()
            for photograph in photographs:
                way(photograph)
            seconds[name].append((time.process_time() - began) / len(photographs))
    ratios = {name: ratio(seconds["open_clip"], found) for name, found in seconds.items() if name != "open_clip"}
    rates = {name: spread([1 / each for each in found], 1) for name, found in seconds.items()}
    return {"ratio": ratios["bilinear"], "ratios": ratios, "photographs_a_second": rates}


def open_clip_transform() -> Callable[[bytes], object]:
    """Its transform for training, with its settings."""
    import open_clip
    from PIL import Image

    transform = open_clip.image_transform(SIZE, is_train=True)
    return lambda photograph: transform(Image.open(io.BytesIO(photograph)))


def our_transform(interpolation: str, exact: bool = False) -> Callable[[bytes], Any]:
    """The same crop by `tuwen.prep`."""
    import numpy as np

    from tuwen.prep.images import ImageConfig, ImagePrep

    settings = {"interpolation": interpolation, "exact": exact, "scale": SCALE}
    prepare = ImagePrep(ImageConfig.model_validate({"size": SIZE, "resize": "crop", "augment": "crop", **settings}))
    rng = np.random.default_rng(0)
    return lambda photograph: prepare(photograph, "a photograph", rng)


def difference(photographs: Sequence[bytes]) -> float:
    """Between the same crops after reduced and after full decoding: the mean over all values, of 255."""
    import numpy as np

    fast, exact = our_transform("bilinear"), our_transform("bilinear", exact=True)
    apart = [np.abs(fast(each).astype(int) - exact(each)).mean() for each in photographs]
    return round(float(np.mean(apart)), 3)


def enlarged(photograph: bytes) -> bytes:
    """As a camera of 12 megapixels would have taken it."""
    from PIL import Image

    file = io.BytesIO()
    Image.open(io.BytesIO(photograph)).resize((4000, 3000), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


if __name__ == "__main__":
    main()
