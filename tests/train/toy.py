"""The smallest thing that `fit` can train.

Two objectives with uneven counts of items: rows of a stream are to be counted, and a picture's mean is to be told.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from tuwen.core.batch import Batch, Row
from tuwen.core.errors import SampleError
from tuwen.core.loss import Loss
from tuwen.core.sample import Sample, Source, Stream
from tuwen.prep.batches import Encoded, collate
from tuwen.prep.loader import Loader
from tuwen.train.config import TrainConfig
from tuwen.train.events import Listener, Result
from tuwen.train.loop import fit


class Numbers:
    """A source of `n` samples, some of them broken."""

    def __init__(self, n: int, broken: frozenset[int] = frozenset(), name: str = "n") -> None:
        self.n, self.broken, self.name = n, broken, name

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Sample:
        if index in self.broken:
            raise SampleError(f"{self.name}{index}", "broken on purpose")
        return Sample(f"{self.name}{index}")


class Both:
    """A mixture: the samples of two sources in turn."""

    def __init__(self, first: Numbers, second: Numbers) -> None:
        self.sources = first, second

    def __len__(self) -> int:
        return 2 * min(map(len, self.sources))

    def __getitem__(self, index: int) -> Sample:
        return self.sources[index % 2][index // 2]


class Flow:
    """The same samples as a stream."""

    def __init__(self, source: Numbers) -> None:
        self.source = source

    def iterate(self, *, epoch: int, shard: int, shards: int) -> Iterator[Sample]:
        for number in range(shard, len(self.source), shards):
            yield Sample(f"e{epoch}-{self.source.name}{number}")


def encode(sample: Sample, generator: np.random.Generator) -> Encoded:
    """A picture of 4 x 4 random pixels, and a row of one to six random tokens."""
    if sample.key.endswith("13"):
        raise SampleError(sample.key, "unlucky")
    pixels = generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    ids = generator.integers(1, 16, generator.integers(1, 7)).tolist()
    return Encoded(sample.key, pixels, {"caption": [Row(ids, [True] * len(ids))]})


class ToyStep(nn.Module):
    """Guesses the picture's mean from its pixels, and each token from nothing but a dropped-out embedding."""

    weights = {"mean": 2.0, "tokens": 1.0}

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.picture = nn.Sequential(nn.Linear(48, 32), nn.GELU(), nn.Linear(32, 1))
        self.words = nn.Embedding(16, 16)
        self.dropout = nn.Dropout(dropout)
        self.scale = nn.Parameter(torch.ones(()))
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.1, generator=generator)
            else:
                nn.init.zeros_(parameter)

    def counts(self, batch: Batch) -> dict[str, float]:
        return {"mean": len(batch), "tokens": float(batch.texts["caption"].attention_mask.sum())}

    def forward(self, batch: Batch) -> dict[str, Loss]:
        x = batch.pixels.flatten(1).float() / 255
        text = batch.texts["caption"]
        guess = self.picture(x)[:, 0].float()
        logits = (self.dropout(self.words(text.ids)) @ self.words.weight.T).float() * self.scale
        tokens = nn.functional.cross_entropy(logits.flatten(0, 1), text.ids.flatten(), reduction="none")
        return {
            "mean": Loss.over((guess - x.mean(1)) ** 2, guess=guess.mean()),
            "tokens": Loss.over(tokens[text.attention_mask.flatten()]),
        }


MIXTURE = Both(Numbers(40, frozenset({3, 7})), Numbers(50, name="m"))
"""Two sources, some of whose samples are broken."""


def loader(config: TrainConfig, source: Source | Stream = MIXTURE, **settings: int) -> Loader:
    """Batches of a source."""
    return Loader(source, encode, partial(collate, pad=0), config.batch_size, config.seed, **settings)


def settings(**changes: Any) -> TrainConfig:
    """How the toy is trained where a test does not say otherwise."""
    usual = {
        "batch_size": 4,
        "steps": 60,
        "learning_rate": 0.01,
        "precision": "fp32",
        "compile": False,
        "save_every_seconds": None,
    }
    return TrainConfig(**(usual | changes))


def train(
    run: Path,
    config: TrainConfig,
    *,
    resume: bool = False,
    source: Source | Stream = MIXTURE,
    workers: int = 0,
    slow: float = 0.0,
    step: ToyStep | None = None,
    listeners: Iterable[Listener] = (),
) -> Result:
    """Train the toy; each forward pass takes `slow` seconds longer than it must."""
    accelerator = Accelerator(cpu=True)
    step = step or ToyStep()
    step.register_forward_pre_hook(lambda *_: time.sleep(slow))
    rank, world = accelerator.process_index, accelerator.num_processes
    data = loader(config, source, workers=workers, rank=rank, world=world)
    return fit(step, data, config, run, resume=resume, listeners=listeners, accelerator=accelerator)
