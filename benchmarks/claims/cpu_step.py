"""One training step on a processor against open_clip: architecture, weights, batch, captions, precision held equal.

Both train open_clip's own model (vision 256 x 6 at 96 px, patch 8; text 256 x 6 with 77 positions), contrastively, on
the same random pictures and captions of 6 to 18 tokens, batch 128, bf16 autocast, AdamW with the same settings, from
the same weights. open_clip runs its model, its loss and a plain PyTorch loop; we run the imported weights in ours, and
keep memory as `tuwen pretrain` does, so each side has a process of its own; they take their steps in turn.
The rate rises as in open_clip's training: at its full height from the first step on, the loss leaps to twice its first
value and back, and bf16's rounding decides when; what is compared then is chance.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from _claim import report
from _peers import import_open_clip, with_peer
from _sides import Done, Side, Step
from _times import ROUNDS, ratio, spread

if TYPE_CHECKING:
    from _clip import Setup

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
    began = time.perf_counter()
    done: dict[str, list[Done]] = {"open_clip": [], "ours": []}
    with Side(partial(open_clip_side, options.batch)) as theirs, Side(partial(our_side, options.batch)) as ours:
        for number in range(options.losses):
            done["open_clip"].append(theirs(number))
            done["ours"].append(ours(number))
    losses = {name: [each.loss for each in found] for name, found in done.items()}
    last = max(ROUNDS, options.losses // 2)
    timed = {name: [each.seconds for each in found[-last:]] for name, found in done.items()}
    values = {
        "ratio": ratio(timed["open_clip"], timed["ours"]),
        "logits_difference": logits(options.batch),
        "loss_difference": max(abs(a - b) for a, b in zip(losses["open_clip"], losses["ours"], strict=True)),
        "pairs_a_second": {name: spread([options.batch / each for each in found], 1) for name, found in timed.items()},
        "first_loss": {name: round(found[0], 4) for name, found in losses.items()},
        "last_loss": {name: round(found[-1], 4) for name, found in losses.items()},
        "steps": options.losses,
        "batch": options.batch,
    }
    report("cpu_step", values, ASKED, time.perf_counter() - began)


@contextmanager
def open_clip_side(batch: int) -> Iterator[Step]:
    """Its model and loop."""
    import_open_clip()
    from _clip import make_batch, their_model, their_step

    setup = the_setup(batch)
    step = their_step(setup, their_model(setup), [make_batch(setup, seed) for seed in range(BATCHES)], rising)
    yield lambda number: float(step(number))


@contextmanager
def our_side(batch: int) -> Iterator[Step]:
    """The same weights, for they are drawn from the same seed, in our model and loop."""
    import_open_clip()
    import torch
    from _clip import make_batch, our_step, their_model

    from tuwen.train.machine import memory_kept

    setup = the_setup(batch)
    state = their_model(setup).state_dict()
    step = our_step(setup, state, [make_batch(setup, seed) for seed in range(BATCHES)], rising)
    with memory_kept(torch.device("cpu")):
        yield lambda number: float(step(number))


def logits(batch: int) -> float:
    """The largest difference between the two models' logits, in float32."""
    import_open_clip()
    from _clip import logits_difference, make_batch, their_model

    setup = the_setup(batch)
    return logits_difference(setup, their_model(setup), make_batch(setup, 0))


def the_setup(batch: int) -> Setup:
    """What is held equal; models that are made next are drawn from the seed."""
    import torch
    from _clip import Setup

    torch.manual_seed(0)
    return Setup(size=96, patch=8, image=(256, 6), text=(256, 6), embedding=256, batch=batch)


def rising(step: int) -> float:
    """The learning rate."""
    from _clip import RATE

    return RATE * (step + 1) / WARMUP


if __name__ == "__main__":
    main()
