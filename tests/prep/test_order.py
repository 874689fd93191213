"""The order of samples: a permutation, a random one, and free."""

import numpy as np
import pytest

from tuwen.prep.order import permute


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 16, 17, 100, 1000, 4096, 4097])
def test_each_sample_comes_exactly_once(n: int) -> None:
    assert sorted(permute(np.arange(n), n, seed=3, epoch=1)) == list(range(n))


def test_a_part_of_the_order_is_the_same_as_in_the_whole() -> None:
    whole = permute(np.arange(1000), 1000, seed=0, epoch=0)
    assert (permute(np.array([999, 5, 17]), 1000, seed=0, epoch=0) == whole[[999, 5, 17]]).all()


def test_seed_and_epoch_name_the_order() -> None:
    orders = [permute(np.arange(500), 500, seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert (orders[0] == orders[3]).all()
    assert (orders[0] != orders[1]).mean() > 0.95
    assert (orders[0] != orders[2]).mean() > 0.95


@pytest.mark.parametrize("n", [2, 5, 8, 12])
def test_every_sample_is_as_likely_at_every_place(n: int) -> None:
    """Chi-square of the n x n table of how often each sample stands at each place, over many epochs."""
    epochs = 2000
    table = np.zeros((n, n))
    for epoch in range(epochs):
        table[np.arange(n), permute(np.arange(n), n, seed=0, epoch=epoch)] += 1
    chi_square = ((table - epochs / n) ** 2 / (epochs / n)).sum() * (n - 1) / n  # rows and columns have fixed sums
    freedom = (n - 1) ** 2
    assert abs(chi_square - freedom) < 5 * np.sqrt(2 * freedom)


def test_neighbours_do_not_stay_together() -> None:
    n = 10_000
    order = permute(np.arange(n), n, seed=0, epoch=0)
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.03
    assert abs(np.corrcoef(np.arange(n), order)[0, 1]) < 0.03
    assert (np.diff(order) == 1).sum() < 10


def test_a_trillion_samples_cost_nothing() -> None:
    n = 10**12
    numbers = permute(np.arange(n - 256, n), n, seed=0, epoch=0)
    assert len(set(numbers.tolist())) == 256
    assert numbers.min() >= 0
    assert numbers.max() < n
    assert numbers.mean() == pytest.approx(n / 2, rel=0.2)
