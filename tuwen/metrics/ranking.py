"""How well embeddings find each other: the rank of the right item, recall@k, median rank.

Scores are dot products, so pass unit vectors for the cosine. Three choices, all of them against the model:

- Several right items (five captions of one picture, one caption that fits two pictures): the best placed one counts,
  and the other right ones are never counted as being in its way.
- Ties are pessimistic: a wrong item that scores as high as the right one is placed before it. A model that gives
  everything the same vector ranks last and not first.
- Scores are tied when they differ by less than float32 can tell (1e-6 of the product of the lengths): the same two
  vectors may differ in the last bit when they sit in another column of a matrix product.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Sequence
from statistics import fmean, median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuwen.core.errors import TuwenError

Embeddings = Tensor | NDArray[np.floating]

TIE = 1e-6
SCORES_AT_ONCE = 2**25
"""Scores held at once: 128 MiB in float32, whatever the sizes."""


def right_ranks(
    queries: Embeddings, gallery: Embeddings, relevant: Sequence[Collection[int]], scores_at_once: int = SCORES_AT_ONCE
) -> list[int]:
    """For each query, the rank (1 is best) of its best placed right item.

    The full `[Q, G]` matrix never exists: it is made and read a few rows at a time.

    Args:
        queries: `[Q, D]`; gallery: `[G, D]`, on the device that shall do the work.
        relevant: for each query, the indices of the right items of the gallery.
        scores_at_once: how many scores may be held in memory.

    Raises:
        ValueError: shapes that do not fit, a query without a right item, an index outside the gallery.
        TuwenError: an embedding that is not finite, which no rank could describe.
    """
    queries, gallery = _checked(queries, "query"), _checked(gallery, "gallery item").to(_device(queries))
    _check_relevant(queries, gallery, relevant)
    longest = gallery.norm(dim=1).max()
    rows = max(1, scores_at_once // len(gallery))
    ranks: list[int] = []
    for start in range(0, len(queries), rows):
        chunk = queries[start : start + rows]
        tie = TIE * chunk.norm(dim=1) * longest
        ranks += _ranks(chunk @ gallery.T, relevant[start : start + rows], tie).tolist()
    return ranks


def recall_at_k(ranks: Sequence[int], k: int) -> float:
    """The share of queries with a right item among their first `k`. 0 where there is no query."""
    return fmean(rank <= k for rank in ranks) if ranks else 0.0


def median_rank(ranks: Sequence[int]) -> float:
    """The median of the ranks; the mean of the middle two where their number is even.

    Raises:
        ValueError: there is no query.
    """
    if not ranks:
        raise ValueError("the median rank needs at least one query")
    return float(median(ranks))


def relevant_by_key(
    queries: Sequence[Collection[Hashable]], gallery: Sequence[Collection[Hashable]]
) -> list[list[int]]:
    """For each query, the gallery items that share a key with it, ascending.

    With texts as keys, a caption that two pictures share is right for both: a text has the one key that it is, and a
    picture has all its captions.
    """
    places: dict[Hashable, list[int]] = defaultdict(list)
    for index, keys in enumerate(gallery):
        for key in set(keys):
            places[key].append(index)
    return [sorted({index for key in keys for index in places.get(key, ())}) for keys in queries]


def retrieval_scores(
    images: Embeddings,
    texts: Embeddings,
    image_keys: Sequence[Collection[Hashable]],
    text_keys: Sequence[Hashable],
    ks: Sequence[int] = (1, 5, 10),
) -> dict[str, float]:
    """Both directions, as `metrics.json` names them: `image_to_text_r1`, ..., `text_to_image_median_rank`.

    `candidates` is the number of distinct texts, or of pictures where these are fewer, so that it never flatters;
    `chance_floor` is what chance gets at R@1, in the direction where it gets more.

    Args:
        images: `[P, D]`; texts: `[T, D]`.
        image_keys: for each picture, the keys of the texts that are right for it.
        text_keys: for each text, its key, usually the text itself.
    """
    if len(images) != len(image_keys) or len(texts) != len(text_keys):
        raise ValueError(
            f"{len(images)} pictures with {len(image_keys)} sets of keys, {len(texts)} texts with {len(text_keys)} keys"
        )
    single = [(key,) for key in text_keys]
    directions = {
        "image_to_text": (images, texts, relevant_by_key(image_keys, single)),
        "text_to_image": (texts, images, relevant_by_key(single, image_keys)),
    }
    scores: dict[str, float] = {}
    chances: list[float] = []
    for name, (queries, gallery, relevant) in directions.items():
        ranks = right_ranks(queries, gallery, relevant)
        scores |= {f"{name}_r{k}": recall_at_k(ranks, k) for k in ks}
        scores[f"{name}_median_rank"] = median_rank(ranks)
        chances.append(fmean(len(items) for items in relevant) / len(gallery))
    return scores | {"candidates": min(len(images), len(set(text_keys))), "chance_floor": max(chances)}


def _ranks(scores: Tensor, relevant: Sequence[Collection[int]], tie: Tensor) -> Tensor:
    """`[q]` ranks from `[q, G]` scores: one more than the wrong items that score at least as high."""
    rows = torch.tensor([row for row, items in enumerate(relevant) for _ in set(items)], device=scores.device)
    columns = torch.tensor([item for items in relevant for item in set(items)], device=scores.device)
    right = scores[rows, columns]
    best = torch.full_like(tie, -torch.inf).scatter_reduce(0, rows, right, "amax")
    bar = best - tie
    above = (scores >= bar[:, None]).sum(dim=1)
    right_above = torch.zeros_like(above).scatter_add(0, rows, (right >= bar[rows]).long())
    return 1 + above - right_above


def _device(queries: Embeddings) -> torch.device:
    return queries.device if isinstance(queries, Tensor) else torch.device("cpu")


def _checked(embeddings: Embeddings, what: str) -> Tensor:
    vectors = torch.as_tensor(embeddings).detach().float()
    if vectors.ndim != 2 or not len(vectors):
        raise ValueError(f"{what} embeddings must be [N, D] with N > 0, not {list(vectors.shape)}")
    broken = (~vectors.isfinite().all(dim=1)).nonzero()
    if len(broken):
        raise TuwenError(
            f"the embedding of {what} {int(broken[0])} is not finite ({len(broken)} of {len(vectors)} are not): "
            "the model has diverged; evaluate an earlier checkpoint or train with a lower learning rate"
        )
    return vectors


def _check_relevant(queries: Tensor, gallery: Tensor, relevant: Sequence[Collection[int]]) -> None:
    if queries.shape[1] != gallery.shape[1] or len(relevant) != len(queries):
        raise ValueError(
            f"queries {list(queries.shape)}, gallery {list(gallery.shape)} and {len(relevant)} sets of right items "
            "do not fit together"
        )
    for row, items in enumerate(relevant):
        if not items:
            raise ValueError(f"query {row} has no right item in the gallery: leave it out")
        if min(items) < 0 or max(items) >= len(gallery):
            raise ValueError(f"query {row}: right items {sorted(items)} in a gallery of {len(gallery)}")
