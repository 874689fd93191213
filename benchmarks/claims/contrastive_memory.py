"""The contrastive objective against the usual one, which makes the matrix of all logits: memory, time, gradients.

Each run is a process of its own, so that its peak memory is its own. The usual loss takes five matrices: where the
machine has no room for them, it runs on half the batch, and its memory there counts four times. Seconds are those of
the processors, so that what else runs on the machine counts little.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from _claim import report
from _times import ratio, spread
from torch import Tensor

from tuwen.train.caching import backward

BATCH, WIDTH, ROUNDS, CHECKED = 32_768, 512, 3, 4096
USUAL_MATRICES = 5.5
ASKED = {"extra_memory_ratio": "<= 0.1", "gradient_difference": "<= 1e-5", "time_ratio": "<= 1.3"}


def main() -> None:
    """Both losses in turn, each in a process of its own."""
    began = time.perf_counter()
    batch = BATCH
    while USUAL_MATRICES * 4 * batch**2 > free_memory():
        batch //= 2
    runs: dict[str, list[dict[str, float]]] = {"usual": [], "ours": []}
    for _ in range(ROUNDS):
        for name, found in runs.items():
            found.append(in_a_process(name, batch))
    whole = in_a_process("ours", BATCH) if batch < BATCH else runs["ours"][0]
    usual = max(run["extra_bytes"] for run in runs["usual"]) * (BATCH / batch) ** 2
    seconds = {name: [run["seconds"] for run in found] for name, found in runs.items()}
    values = {
        "extra_memory_ratio": round(whole["extra_bytes"] / usual, 4),
        "gradient_difference": gradient_difference(),
        "time_ratio": ratio(seconds["ours"], seconds["usual"]),
        "extra_megabytes": {"ours": round(whole["extra_bytes"] / 2**20), "usual": round(usual / 2**20)},
        "seconds": {name: spread(found, 1) for name, found in seconds.items()},
        "batch": BATCH,
        "usual_measured_at": batch,
    }
    report("contrastive_memory", values, ASKED, time.perf_counter() - began)


def in_a_process(name: str, batch: int) -> dict[str, float]:
    """Processor seconds of a forward and backward pass, and how many bytes the peak of memory rose by."""
    command = [sys.executable, __file__, name, str(batch)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run(name: str, batch: int) -> None:
    """What `in_a_process` starts."""
    leaves = embeddings(batch, torch.float32)
    backward(one(name, embeddings(256, torch.float32)))  # libraries wake up
    before = peak()
    began = time.process_time()
    backward(one(name, leaves))
    seconds = time.process_time() - began
    print(json.dumps({"seconds": seconds, "extra_bytes": 1024 * (peak() - before)}))


def peak() -> int:
    """The most memory that this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def embeddings(batch: int, kind: torch.dtype) -> list[Tensor]:
    """Texts, pictures that are a little like theirs, and the scale."""
    generator = torch.Generator().manual_seed(0)
    texts = torch.randn(batch, WIDTH, generator=generator)
    images = texts + 2 * torch.randn(batch, WIDTH, generator=generator)
    unit = [F.normalize(each.to(kind), dim=-1).requires_grad_() for each in (texts, images)]
    return [*unit, torch.tensor(1 / 0.07, dtype=kind, requires_grad=True)]


def one(name: str, leaves: list[Tensor]) -> Tensor:
    """The mean loss, by one of two ways."""
    return usual_loss(*leaves) if name == "usual" else our_loss(*leaves)


def usual_loss(texts: Tensor, images: Tensor, scale: Tensor) -> Tensor:
    """As in figure 3 of the CLIP paper."""
    logits = scale * texts @ images.T
    right = torch.arange(len(texts))
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def our_loss(texts: Tensor, images: Tensor, scale: Tensor) -> Tensor:
    """The objective, on texts that all differ."""
    from tuwen.objectives import ObjectiveContext
    from tuwen.objectives._pairs import Embedded
    from tuwen.objectives.contrastive import Config, build

    forward: Any = SimpleNamespace(scale=scale, model=SimpleNamespace(training=True))
    number = torch.arange(len(texts))
    objective = build(Config(), ObjectiveContext(vocab_size=0, mask=0, special=()))
    return objective.compare(forward, Embedded(texts, images, number[:, None], number)).mean


def gradient_difference() -> float:
    """Between our gradients in float32 and the usual ones in float64, as a share of the largest of each tensor."""
    ours, usual = embeddings(CHECKED, torch.float32), embeddings(CHECKED, torch.float64)
    backward(our_loss(*ours))
    backward(usual_loss(*usual))
    pairs = [(one.grad, other.grad) for one, other in zip(ours, usual, strict=True)]
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs if a is not None and b is not None)


def free_memory() -> float:
    """Bytes that a process could take now."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(sys.argv[1], int(sys.argv[2]))
    else:
        main()
