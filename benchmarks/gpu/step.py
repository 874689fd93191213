"""ViT-B/16 at 224 with a 12 x 512 text tower, contrastive, bf16, compiled: against open_clip on a GPU.

Run it on a machine that has one: `.venv-peers/bin/python benchmarks/gpu/step.py`. It writes `results.json` beside
itself: card, pairs a second of both, and what share of a large matrix product's rate the model's operations reach.
On a machine without one it says so, and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "claims"))

from _clip import (  # noqa: E402
    RATE,
    Setup,
    constant,
    logits_difference,
    make_batch,
    our_batch,
    our_model,
    our_step,
    their_model,
    their_step,
)
from _peers import import_open_clip, with_peer  # noqa: E402

BATCH, BATCHES, WARM, ROUNDS, STEPS = 256, 4, 5, 5, 5
SIDE = 8192
ASKED = {"ratio": 1.3, "utilisation": 0.45}


def main() -> None:
    """Both in turn, five times five steps each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=BATCH)
    batch: int = parser.parse_args().batch
    if not torch.cuda.is_available():
        sys.exit("There is no GPU here: nothing was measured. Run this script on a machine that has one.")
    with_peer("open_clip")
    import_open_clip()
    setup = Setup(224, 16, image=(768, 12), text=(512, 12), embedding=512, batch=batch, device="cuda", compiled=True)
    batches = [make_batch(setup, seed) for seed in range(BATCHES)]
    clip = their_model(setup)
    difference = logits_difference(setup, clip, batches[0])
    state = {name: value.clone() for name, value in clip.state_dict().items()}
    flops = operations(setup, state, batches[0])
    rate = constant(RATE)
    steps = {"open_clip": their_step(setup, clip, batches, rate), "ours": our_step(setup, state, batches, rate)}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        timed(step, WARM)
    for _ in range(ROUNDS):
        for name, step in steps.items():
            seconds[name].append(timed(step, STEPS) / STEPS)
    best = {name: median(found) for name, found in seconds.items()}
    rate = product_rate()
    found = {
        "card": torch.cuda.get_device_name(0),
        "torch": torch.__version__,
        "batch": batch,
        "logits_difference": difference,
        "pairs_a_second": {name: round(batch / each, 1) for name, each in best.items()},
        "ratio": round(best["open_clip"] / best["ours"], 3),
        "product_tflops": round(rate / 1e12, 1),
        "model_tflops": round(flops / best["ours"] / 1e12, 1),
        "utilisation": round(flops / best["ours"] / rate, 3),
        "peak_gigabytes": round(torch.cuda.max_memory_allocated() / 2**30, 1),
        "asked": ASKED,
    }
    (HERE / "results.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


def timed(step: Callable[[int], torch.Tensor], steps: int) -> float:
    """Seconds of some steps."""
    torch.cuda.synchronize()
    began = time.perf_counter()
    for number in range(steps):
        step(number)
    torch.cuda.synchronize()
    return time.perf_counter() - began


def operations(setup: Setup, state: dict[str, torch.Tensor], batch: tuple[torch.Tensor, ...]) -> float:
    """Floating-point operations of the model in a step, forward and backward, counted without padding."""
    model = our_model(setup, state).train()
    forward = model(our_batch(*batch).to(setup.device))
    with FlopCounterMode(display=False) as counted, torch.autocast(setup.device, torch.bfloat16):
        (forward.image_embedding.sum() + forward.text_embedding("retrieve").sum()).backward()
    return float(counted.get_total_flops())


def product_rate() -> float:
    """Operations a second of a large matrix product in bf16, at best."""
    matrix = torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16)
    return 2 * SIDE**3 / min(timed(lambda number: matrix @ matrix, 1) for _ in range(20))


if __name__ == "__main__":
    main()
