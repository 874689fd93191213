"""One training step on a processor against open_clip: architecture, weights, batch, captions, precision held equal.

Both train open_clip's own model (vision 256 x 6 at 96 px, patch 8; text 256 x 6 with 77 positions), contrastively, on
the same random pictures and captions of 6 to 18 tokens, batch 128, bf16 autocast, AdamW with the same settings, from
the same weights. open_clip runs its model, its loss and a plain PyTorch loop; we run the imported weights in ours.
The rate rises as in open_clip's training: at its full height from the first step on, the loss leaps to twice its first
value and back, and bf16's rounding decides when; what is compared then is chance.
"""

from __future__ import annotations

import argparse
import time

from _claim import report
from _peers import import_open_clip, with_peer
from _times import ROUNDS, ratio, spread

BATCH, LOSSES, BATCHES = 128, 50, 10
WARMUP = 1000
"""Steps in which the rate rises (10,000 is open_clip's default: 50 steps would learn nothing)."""
ASKED = {"ratio": ">= 2.5", "logits_difference": "<= 1e-4", "loss_difference": "<= 1e-2"}


def main() -> None:
    """The logits, then training steps in turn, whose losses are compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--losses", type=int, default=LOSSES, help="steps")
    options = parser.parse_args()
    with_peer("open_clip")
    import_open_clip()
    import torch
    from _clip import RATE, Setup, logits_difference, make_batch, our_step, their_model, their_step

    began = time.perf_counter()
    torch.manual_seed(0)
    setup = Setup(size=96, patch=8, image=(256, 6), text=(256, 6), embedding=256, batch=options.batch)
    batches = [make_batch(setup, seed) for seed in range(BATCHES)]
    clip = their_model(setup)
    logits = logits_difference(setup, clip, batches[0])
    state = {name: value.clone() for name, value in clip.state_dict().items()}

    def rising(step: int) -> float:
        return RATE * (step + 1) / WARMUP

    steps = {"open_clip": their_step(setup, clip, batches, rising), "ours": our_step(setup, state, batches, rising)}
    losses: dict[str, list[float]] = {name: [] for name in steps}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(options.losses):
        for name, step in steps.items():
            started = time.perf_counter()
            losses[name].append(float(step(number)))
            seconds[name].append(time.perf_counter() - started)
    timed = {name: found[-max(ROUNDS, len(found) // 2) :] for name, found in seconds.items()}
    values = {
        "ratio": ratio(timed["open_clip"], timed["ours"]),
        "logits_difference": logits,
        "loss_difference": max(abs(a - b) for a, b in zip(losses["open_clip"], losses["ours"], strict=True)),
        "pairs_a_second": {name: spread([options.batch / each for each in found], 1) for name, found in timed.items()},
        "first_loss": {name: round(found[0], 4) for name, found in losses.items()},
        "last_loss": {name: round(found[-1], 4) for name, found in losses.items()},
        "steps": options.losses,
        "batch": options.batch,
    }
    report("cpu_step", values, ASKED, time.perf_counter() - began)


if __name__ == "__main__":
    main()
