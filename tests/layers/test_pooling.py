"""From tokens to one vector, by hand."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tuwen.layers.attention_pool import AttentionPool
from tuwen.layers.pooling import last_pool, max_pool, mean_pool

TOKENS = torch.tensor([[[1.0, -2.0], [3.0, 6.0], [100.0, 100.0]], [[5.0, 7.0], [100.0, 100.0], [100.0, 100.0]]])
MASK = torch.tensor([[True, True, False], [True, False, False]])


def test_the_mean_is_over_real_tokens() -> None:
    assert mean_pool(TOKENS, MASK).tolist() == [[2, 2], [5, 7]]
    assert mean_pool(TOKENS[:, :2]).tolist() == [[2, 2], [52.5, 53.5]]


def test_the_largest_value_is_that_of_a_real_token() -> None:
    assert max_pool(TOKENS, MASK).tolist() == [[3, 6], [5, 7]]
    assert max_pool(-TOKENS, MASK).tolist() == [[-1, 2], [-5, -7]]
    assert max_pool(TOKENS[:, :2]).tolist() == [[3, 6], [100, 100]]


def test_the_last_token_is_the_last_real_one() -> None:
    assert last_pool(TOKENS, MASK).tolist() == [[3, 6], [5, 7]]


@pytest.mark.parametrize("pool", [mean_pool, last_pool])
def test_a_row_without_a_token_is_finite(pool: object) -> None:
    assert callable(pool)
    assert pool(TOKENS, torch.zeros_like(MASK)).isfinite().all()


def test_learned_queries_read_no_masked_token() -> None:
    torch.manual_seed(0)
    pool = AttentionPool(8, heads=2, context_width=2, queries=3)
    found = pool(TOKENS, MASK)
    assert found.shape == (2, 3, 8)
    torch.testing.assert_close(found[:1], pool(TOKENS[:1, :2]))
    torch.testing.assert_close(found[1:], pool(TOKENS[1:, :1]))


def test_a_single_query_costs_no_keys_and_values() -> None:
    pool, tokens = AttentionPool(8, heads=2, context_width=8), torch.randn(1, 9, 8)
    with FlopCounterMode(display=False) as counted:
        pool(tokens)
    assert 0 < counted.get_total_flops() < 2 * 9 * 8 * 2 * 8


def test_each_learned_query_reads_for_itself() -> None:
    torch.manual_seed(0)
    pool = AttentionPool(8, heads=2, context_width=4, queries=2)
    tokens = torch.randn(1, 5, 4)
    both = pool(tokens)
    pool.queries.data = pool.queries.data[:1]
    torch.testing.assert_close(both[:, :1], pool(tokens))
