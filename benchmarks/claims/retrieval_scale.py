"""Retrieval metrics, both directions, for 100,000 pictures and 100,000 texts: memory, time, and the ranks themselves.

The matrix of all scores would take 40 GB. On the first 4,000 of each, the ranks are compared with those counted from
the whole matrix in float64, with ties against the model in both.
"""

from __future__ import annotations

import argparse
import resource
import time

import torch
import torch.nn.functional as F
from _claim import report

from tuwen.metrics.ranking import TIE, retrieval_scores, right_ranks

ITEMS, WIDTH, CHECKED = 100_000, 512, 4_000
ASKED = {"extra_megabytes": "<= 1000", "differing_ranks": "<= 0.01"}


def main() -> None:
    """Random embeddings, a text of each picture nearer to it than to most others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=ITEMS)
    items: int = parser.parse_args().items
    images = F.normalize(torch.randn(items, WIDTH), dim=-1)
    texts = F.normalize(images + 0.2 * torch.randn(items, WIDTH), dim=-1)
    right_ranks(texts[:100], images[:100], [[n] for n in range(100)])  # libraries wake up
    before, began = peak(), time.perf_counter()
    scores = retrieval_scores(images, texts, [(n,) for n in range(items)], list(range(items)))
    seconds = time.perf_counter() - began
    values = {
        "extra_megabytes": round((peak() - before) / 1024),
        "differing_ranks": differing_ranks(images[:CHECKED], texts[:CHECKED]),
        "seconds": round(seconds, 1),
        "items": items,
        "full_matrix_megabytes": round(4 * items**2 / 2**20),
        "text_to_image_r1": round(scores["text_to_image_r1"], 4),
        "text_to_image_median_rank": scores["text_to_image_median_rank"],
    }
    report("retrieval_scale", values, ASKED, seconds)


def differing_ranks(images: torch.Tensor, texts: torch.Tensor) -> float:
    """The share of texts whose rank is another than in float64: the pictures that score as high as its own, or less by
    no more than `TIE`, and it itself. They differ where a score lies at that very border."""
    scores = texts.double() @ images.double().T
    whole = (scores >= scores.diagonal()[:, None] - TIE).sum(1).tolist()
    found = right_ranks(texts, images, [[n] for n in range(len(texts))], scores_at_once=2**18)
    return sum(one != other for one, other in zip(found, whole, strict=True)) / len(whole)


def peak() -> int:
    """The most memory that this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
