"""Embedding a folder of photographs: `Model.embed_images` against open_clip with the same weights.

Held equal: 640 x 480 JPEGs, the weights (open_clip's ViT-B/32, random, at 224 px), batch, threads, the output (vectors
of unit length). open_clip goes as its README shows: Pillow, its evaluation transform, encode_image, which on a
processor is float32. Not equal in `ratio`: we compute in bf16 where the machine is faster with it, as our evaluation
does; the vectors' cosines say what that changes. `ratio_float32` and `ratio_bf16` have the precision equal, too.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _claim import report
from _peers import import_open_clip, with_peer
from _times import alternately, ratio, spread

DEFAULT = Path(__file__).parents[3] / "shared" / "data" / "bccd"
ARCHITECTURE = "ViT-B-32"
HEADS, SIZE, BATCH, PHOTOGRAPHS = (12, 8), 224, 32, 64
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
ASKED = {"ratio": ">= 2", "least_cosine": ">= 0.99"}


def main() -> None:
    """Both in turn over the same folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(os.environ.get("TUWEN_BCCD", DEFAULT)))
    parser.add_argument("--photographs", type=int, default=PHOTOGRAPHS)
    options = parser.parse_args()
    files = sorted(options.folder.rglob("*.jpg"))[: options.photographs]
    if not files:
        sys.exit(f"{options.folder}: no .jpg there; name a folder of photographs, or set TUWEN_BCCD.")
    with_peer("open_clip")
    import_open_clip()
    import open_clip
    import torch

    from tuwen.train.machine import fast_bf16

    began = time.perf_counter()
    torch.manual_seed(0)
    clip, _, transform = open_clip.create_model_and_transforms(ARCHITECTURE)
    ours = {bf16: our_predictor(clip.eval().state_dict(), bf16) for bf16 in (False, True)}
    ways = {
        "open_clip": lambda: their_embeddings(clip, transform, files, bf16=False),
        "open_clip_bf16": lambda: their_embeddings(clip, transform, files, bf16=True),
        "ours_float32": lambda: ours[False].embed_images(files),
        "ours": lambda: ours[fast_bf16(torch.device("cpu"))].embed_images(files),
    }
    cosines = (ways["open_clip"]() * ways["ours"]()).sum(1)
    seconds = alternately(ways)
    values = {
        "ratio": ratio(seconds["open_clip"], seconds["ours"]),
        "least_cosine": round(float(cosines.min()), 4),
        "ratio_float32": ratio(seconds["open_clip"], seconds["ours_float32"]),
        "ratio_bf16": ratio(seconds["open_clip_bf16"], seconds["ours"]),
        "photographs_a_second": {name: spread([len(files) / s for s in all_], 1) for name, all_ in seconds.items()},
        "photographs": len(files),
    }
    report("embed_folder", values, ASKED, time.perf_counter() - began)


def their_embeddings(clip: Any, transform: Any, files: Sequence[Path], bf16: bool) -> Any:
    """`[P, E]` of unit length."""
    import torch
    from PIL import Image

    found = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        for start in range(0, len(files), BATCH):
            pictures = torch.stack([transform(Image.open(file)) for file in files[start : start + BATCH]])
            found.append(clip.encode_image(pictures, normalize=True).float())
    return torch.cat(found)


def our_predictor(state: dict[str, Any], bf16: bool) -> Any:
    """The same weights, and the same preprocessing: the shorter side to 224, the middle of it, bicubic."""
    from tuwen.models.config import ModelConfig, ModelContext
    from tuwen.models.model import VisionLanguageModel
    from tuwen.models.open_clip import from_open_clip, model_settings
    from tuwen.models.predictor import Predictor
    from tuwen.prep.images import ImageConfig, ImagePrep
    from tuwen.prep.tokens import Tokenizer, TokenizerConfig

    vocabulary, length = state["token_embedding.weight"].shape[0], state["positional_embedding"].shape[0]
    model = VisionLanguageModel(
        ModelConfig(**model_settings(state, HEADS)), ModelContext(SIZE, MEAN, STD, vocabulary, length, {})
    )
    model.load_state_dict(from_open_clip(state))
    images = ImagePrep(ImageConfig(size=SIZE, resize="crop", interpolation="bicubic", mean=MEAN, std=STD))
    return Predictor(model, Tokenizer.train(["a"], TokenizerConfig()), images, bf16=bf16, batch_size=BATCH)


if __name__ == "__main__":
    main()
