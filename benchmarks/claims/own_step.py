"""One training step on a processor, each project's own architecture of the same size, on real pictures and names.

Held equal: the number of parameters (2 % more here), pictures (emoji at 96 px), their English names in open_clip's
tokens, batch 128, bf16 autocast, the pairs and their order. open_clip trains its ViT 256 x 6 (patch 8) and its text
tower 256 x 6 with AdamW at its default rate; we train the `cnn` of our recipes with more blocks in its last stage and
our text Transformer 256 x 6, by Muon at the recipes' rate. The loss is that of names that neither has seen, among
themselves, after the same number of pairs.
The data is not part of a clone; say where it is: `python benchmarks/claims/own_step.py FOLDER`, or TUWEN_EMOJI.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _claim import report
from _peers import import_open_clip, with_peer
from _times import ratio, spread
from emoji import DEFAULT, read  # type: ignore[import-not-found]

if TYPE_CHECKING:
    import torch

    Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]

BATCH, HELD_OUT, STEPS, RATE = 128, 256, 32, 5e-3
IMAGE = {"kind": "cnn", "stem": 4, "channels": (64, 128, 256), "blocks": (1, 1, 4)}
TEXT = {"kind": "transformer", "width": 256, "depth": 6, "heads": 4}
ASKED = {"ratio": ">= 3.5", "held_out_loss.ratio": "<= 1", "parameters.ratio": ">= 0.98"}


def main() -> None:
    """Steps in turn, then the loss on held-out names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(os.environ.get("TUWEN_EMOJI", DEFAULT)))
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    if not (options.folder / "emoji.jsonl").is_file():
        sys.exit(f"{options.folder}: no emoji.jsonl there; name the folder of the emoji, or set TUWEN_EMOJI.")
    with_peer("open_clip")
    import_open_clip()
    import torch
    from _clip import RATE as THEIR_RATE
    from _clip import Setup, constant, their_model, their_step, trained

    began = time.perf_counter()
    torch.manual_seed(0)
    setup = Setup(size=96, patch=8, image=(256, 6), text=(256, 6), embedding=256, batch=BATCH)
    batches, held_out = pairs(options.folder, setup.size)
    clip, model = their_model(setup), own_model(setup)
    steps = {
        "open_clip": their_step(setup, clip, batches, constant(THEIR_RATE)),
        "ours": trained(setup, model, batches, constant(RATE), {"kind": "muon"}, 1.0),
    }
    losses: dict[str, list[float]] = {name: [] for name in steps}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(options.steps):
        for name, step in steps.items():
            started = time.perf_counter()
            losses[name].append(float(step(number)))
            seconds[name].append(time.perf_counter() - started)
    timed = {name: found[options.steps // 4 :] for name, found in seconds.items()}
    values = {
        "ratio": ratio(timed["open_clip"], timed["ours"]),
        "held_out_loss": compared(their_loss(clip, held_out), our_loss(model, held_out)),
        "last_losses": compared(*(sum(losses[name][-10:]) / len(losses[name][-10:]) for name in steps)),
        "parameters": compared(*(sum(p.numel() for p in each.parameters()) for each in (clip, model))),
        "pairs_a_second": {name: spread([BATCH / each for each in found], 1) for name, found in timed.items()},
        "pairs": options.steps * BATCH,
        "batch": BATCH,
    }
    report("own_step", values, ASKED, time.perf_counter() - began)


def compared(theirs: float, ours: float) -> dict[str, float]:
    """Both, and ours over theirs."""
    return {"open_clip": round(theirs, 4), "ours": round(ours, 4), "ratio": round(ours / theirs, 4)}


def pairs(folder: Path, size: int) -> tuple[list[Batch], Batch]:
    """Batches of pictures `[B, S, S, 3]`, ids `[B, 77]` and their lengths, in one epoch's order; and the held-out."""
    import numpy as np
    import open_clip
    import torch

    from tuwen.prep.images import ImageConfig, ImagePrep

    rows = read(folder)
    prepare = ImagePrep(ImageConfig(size=size))
    pixels = torch.from_numpy(np.stack([prepare(folder / row["image"], row["image"], None) for row in rows]))
    ids = open_clip.get_tokenizer("ViT-B-32")([row["names"]["en"] for row in rows])
    lengths = (ids != 0).sum(1)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(rows)))
    parts = [order[:HELD_OUT], *order[HELD_OUT:].split(BATCH)]  # type: ignore[no-untyped-call]
    held_out, *batches = [(pixels[part], ids[part], lengths[part]) for part in parts if len(part) >= BATCH]
    return batches, held_out


def own_model(setup: Any) -> Any:
    """Our parts at the size of theirs."""
    import torch
    from _clip import MEAN, POSITIONS, STD, VOCABULARY

    from tuwen.models.config import ModelConfig, ModelContext
    from tuwen.models.model import VisionLanguageModel

    config = ModelConfig.model_validate({"image": IMAGE, "text": TEXT, "embedding": setup.embedding})
    model = VisionLanguageModel(config, ModelContext(setup.size, MEAN, STD, VOCABULARY, POSITIONS, {}))
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def their_loss(clip: Any, batch: Batch) -> float:
    """The contrastive loss of a batch, in float32."""
    import torch
    from _clip import normalised

    with torch.inference_mode():
        return contrastive(*clip.eval()(normalised(batch[0]), batch[1]))


def our_loss(model: Any, batch: Batch) -> float:
    """The same by our model."""
    import torch
    from _clip import our_batch

    with torch.inference_mode():
        forward: Any = model.eval()(our_batch(*batch))
        return contrastive(forward.image_embedding, forward.text_embedding("retrieve"), forward.scale)


def contrastive(images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor) -> float:
    """Figure 3 of the CLIP paper."""
    import torch

    logits = scale * images @ texts.T
    cross_entropy: Callable[..., torch.Tensor] = torch.nn.functional.cross_entropy
    right = torch.arange(len(logits))
    return float((cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2)


if __name__ == "__main__":
    main()
