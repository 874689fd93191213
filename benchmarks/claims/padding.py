"""Padding in the text tower: how many of its tokens are wasted, and what the step gains, at the same result.

Captions of 6 to 18 tokens in batches of 128, through the text tower that open_clip's comparison uses (256 x 6), forward
and backward: rows laid end to end against rows padded to the longest.
"""

from __future__ import annotations

import time
from statistics import fmean
from typing import Any

import torch
from _claim import report
from _times import ratio, spread

from tuwen.layers.blocks import Block
from tuwen.layers.pooling import mean_pool
from tuwen.layers.ragged import Ragged
from tuwen.towers.text import TextContext
from tuwen.towers.text.transformer import Config, TextTransformer, build
from tuwen.train.caching import backward

BATCH, VOCABULARY, BATCHES, ROUNDS = 128, 8192, 4, 5
ASKED = {"wasted": "< 0.05", "output_difference": "<= 1e-5", "gradient_difference": "<= 1e-5"}


def main() -> None:
    """Both ways in turn over the same batches."""
    began = time.perf_counter()
    torch.manual_seed(0)
    tower = build(Config(width=256, depth=6, heads=4), TextContext(VOCABULARY, 77))
    batches = [make_batch(seed) for seed in range(BATCHES)]
    ways = {"padded": padded, "laid": lambda tower, ids, mask: tower(ids, mask).pooled}
    outcome = {name: gradients(tower, way, batches[0]) for name, way in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.process_time()
            for batch in batches:
                gradients(tower, way, batch)
            seconds[name].append((time.process_time() - started) / BATCHES)
    apart = [largest_difference(a, b) for a, b in zip(outcome["padded"], outcome["laid"], strict=True)]
    values = {
        "wasted": round(fmean(Ragged.of(mask, tower.width).waste for _, mask in batches), 4),
        "wasted_when_padded": round(1 - fmean(float(mask.float().mean()) for _, mask in batches), 4),
        "output_difference": apart[0],
        "gradient_difference": max(apart[1:]),
        "speedup": ratio(seconds["padded"], seconds["laid"]),
        "processor_seconds": {name: spread(found) for name, found in seconds.items()},
    }
    report("padding", values, ASKED, time.perf_counter() - began)


def make_batch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """ids `[B, L]` and mask bool `[B, L]`."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(6, 19, (BATCH,), generator=generator)
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    return torch.randint(5, VOCABULARY, mask.shape, generator=generator) * mask, mask


def padded(tower: TextTransformer, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """What the tower computes, on rows that are padded to the longest."""
    tokens = tower.token(ids) + tower.position[:, : ids.shape[1]]
    for block in tower.blocks:
        assert isinstance(block, Block)
        tokens = block(tokens, mask[:, None, None])
    return mean_pool(tower.norm(tokens), mask)


def gradients(tower: TextTransformer, way: Any, batch: tuple[torch.Tensor, torch.Tensor]) -> list[torch.Tensor]:
    """The pooled vectors, and the gradients of the sum of their cubes."""
    tower.zero_grad()
    pooled = way(tower, *batch)
    backward(pooled.pow(3).sum() / len(pooled))
    return [pooled.detach(), *(p.grad for p in tower.parameters() if p.grad is not None)]


def largest_difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """As a share of the largest number."""
    return float((one - other).abs().max() / one.abs().max())


if __name__ == "__main__":
    main()
