"""A random order of any number of samples that needs no memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDS = 12


def permute(places: NDArray[np.int64], n: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Which of `n` samples stands at each of `places` in the order of one epoch.

    A pseudo-random permutation of `range(n)` that is computed place by place, so that an epoch of 10^12 samples costs
    no memory and no time to set up: a Feistel network over the next power of four (Luby and Rackoff 1988), walked
    along its cycle until it lands inside the range (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").

    Args:
        places: any shape, each in `[0, n)`.
        n: how many samples there are, below 2^62.
        seed, epoch: name the permutation.

    Returns:
        Sample numbers of the same shape, each in `[0, n)`; different places give different samples.
    """
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    keys = np.random.SeedSequence((seed, epoch)).generate_state(ROUNDS, np.uint64).astype(np.uint64)
    values = _feistel(places.astype(np.uint64), half, keys)
    while (outside := values >= n).any():
        values[outside] = _feistel(values[outside], half, keys)
    return values.astype(np.int64)


def _feistel(values: NDArray[np.uint64], half: int, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A permutation of `[0, 4^half)`: in each round the halves change places, one of them scrambled by the other."""
    shift, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = values >> shift, values & mask
    for key in keys:
        left, right = right, left ^ (_scramble(right ^ key) & mask)
    return (left << shift) | right


def _scramble(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele, Lea and Flood 2014): each input bit reaches each output bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
