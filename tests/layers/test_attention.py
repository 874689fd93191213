"""Attention against a float64 loop over queries and keys; the cache and shared contexts against doing all anew."""

import math

import pytest
import torch
from torch import Tensor

from tuwen.layers.attention import ROOM, CrossAttention, KeyValues, SelfAttention, attention

ROWS, HEADS, QUERIES, KEYS, WIDTH = 2, 3, 4, 5, 6


def by_hand(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """One query at a time, one key at a time."""
    out = torch.zeros(*query.shape[:3], value.shape[-1], dtype=query.dtype)
    for row in range(query.shape[0]):
        for head in range(query.shape[1]):
            for n in range(query.shape[2]):
                seen = [m for m in range(key.shape[2]) if mask is None or bool(mask[row, head, n, m])]
                scores = [query[row, head, n] @ key[row, head, m] / math.sqrt(query.shape[-1]) for m in seen]
                total = sum(score.exp() for score in scores)
                for m, score in zip(seen, scores, strict=True):
                    out[row, head, n] = out[row, head, n] + score.exp() / total * value[row, head, m]
    return out


def some_mask(kind: str) -> Tensor | None:
    """A mask as callers give it: for all heads, for all queries, or for each alike."""
    generator = torch.Generator().manual_seed(3)
    if kind == "none":
        return None
    shape = {"keys": (ROWS, 1, 1, KEYS), "queries": (ROWS, 1, QUERIES, KEYS), "all": (ROWS, HEADS, QUERIES, KEYS)}[kind]
    mask = torch.rand(shape, generator=generator) < 0.5
    mask[..., 0] = True  # each query must see a key
    return mask


@pytest.mark.parametrize("kind", ["none", "keys", "queries", "all"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_are_those_of_the_reference(kind: str, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(ROWS, HEADS, QUERIES, WIDTH), (ROWS, HEADS, KEYS, WIDTH), (ROWS, HEADS, KEYS, WIDTH)]
    exact = [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]
    given = [tensor.detach().to(dtype).requires_grad_() for tensor in exact]
    weights = torch.randn(shapes[0], generator=generator, dtype=torch.float64)
    mask = some_mask(kind)
    full = None if mask is None else mask.expand(ROWS, HEADS, QUERIES, KEYS)

    wanted, found = by_hand(*exact, full), attention(*given, mask)
    (wanted * weights).sum().backward()
    (found * weights.to(dtype)).sum().backward()

    close = {"atol": 2e-6, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 1e-14, "rtol": 1e-12}
    torch.testing.assert_close(found.double(), wanted, **close)
    for ours, theirs in zip(given, exact, strict=True):
        torch.testing.assert_close(ours.grad.double(), theirs.grad, **close)


def test_huge_scores_stay_finite() -> None:
    query = torch.full((1, 1, 2, 4), 1e4)
    found = attention(query, query, torch.randn(1, 1, 2, 4))
    assert found.isfinite().all()


def test_under_autocast_the_result_is_that_of_float32_to_bf16_precision() -> None:
    query, key, value = torch.randn(3, 1, 2, 8, 4, generator=torch.Generator().manual_seed(0)).unbind(0)
    with torch.autocast("cpu", torch.bfloat16):
        found = attention(query, key, value)
    torch.testing.assert_close(found.float(), attention(query, key, value), atol=2e-2, rtol=2e-2)


def test_multi_head_attention_splits_the_width_head_by_head() -> None:
    torch.manual_seed(0)
    module = SelfAttention(6, heads=2)
    x = torch.randn(2, 5, 6)
    query, key, value = module.qkv(x).split(6, -1)
    heads = [
        attention(query[:, None, :, part], key[:, None, :, part], value[:, None, :, part])[:, 0]
        for part in (slice(0, 3), slice(3, 6))
    ]
    torch.testing.assert_close(module(x)[0], module.out(torch.cat(heads, -1)))


@pytest.mark.parametrize("cuts", [[1, 1, 1, 1, 1, 1], [4, 2], [1, 5], [3, 1, 1, 1]])
def test_reading_on_from_the_cache_equals_reading_all_at_once(cuts: list[int]) -> None:
    torch.manual_seed(0)
    module = SelfAttention(8, heads=2)
    x = torch.randn(2, 6, 8)
    causal = torch.ones(6, 6, dtype=torch.bool).tril()
    whole, all_seen = module(x, causal)

    past, start, parts = None, 0, []
    for cut in cuts:
        part, past = module(x[:, start : start + cut], causal[start : start + cut, : start + cut], past)
        parts.append(part)
        start += cut

    torch.testing.assert_close(torch.cat(parts, 1), whole)
    assert past is not None
    torch.testing.assert_close((past.key, past.value), (all_seen.key, all_seen.value))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("each", [1, 3])
def test_several_texts_that_share_a_picture_read_what_each_would_read_alone(each: int, masked: bool) -> None:
    torch.manual_seed(0)
    module = CrossAttention(8, heads=2, context_width=5)
    pictures, texts = torch.randn(2, 4, 5), torch.randn(2 * each, 3, 8)
    mask = torch.tensor([[True, True, False, True], [False, True, True, True]]) if masked else None
    owner = torch.arange(2).repeat_interleave(each)

    shared = module(texts, module.project(pictures), mask)
    gathered = module(texts, module.project(pictures[owner]), None if mask is None else mask[owner])
    alone = [
        module(texts[row : row + 1], module.project(pictures[[picture]]), None if mask is None else mask[[picture]])
        for row, picture in enumerate(owner.tolist())
    ]

    torch.testing.assert_close(shared, gathered)
    torch.testing.assert_close(shared, torch.cat(alone))


def test_cross_attention_reads_no_key_that_is_masked() -> None:
    torch.manual_seed(0)
    module = CrossAttention(8, heads=2, context_width=5)
    picture, text = torch.randn(1, 4, 5), torch.randn(1, 3, 8)
    mask = torch.tensor([[True, True, False, False]])
    masked = module(text, module.project(picture), mask)
    torch.testing.assert_close(masked, module(text, module.project(picture[:, :2])))


def test_key_values_are_extended_and_selected_row_by_row() -> None:
    past = KeyValues(torch.arange(6.0).view(3, 1, 2, 1), -torch.arange(6.0).view(3, 1, 2, 1))
    longer = past.extend(torch.full((3, 1, 1, 1), 9.0), torch.full((3, 1, 1, 1), -9.0))
    assert longer.key[1].flatten().tolist() == [2, 3, 9]
    chosen = longer.select(torch.tensor([2, 0]))
    assert chosen.key[:, 0, :, 0].tolist() == [[4, 5, 9], [0, 1, 9]]
    assert chosen.value[:, 0, :, 0].tolist() == [[-4, -5, -9], [0, -1, -9]]


def numbered(rows: int, tokens: int, first: float = 0.0) -> KeyValues:
    """Key and value `[rows, 1, tokens, 1]` that tell rows and tokens apart; values are negative."""
    key = first + 100 * torch.arange(float(rows)).view(-1, 1, 1, 1) + torch.arange(float(tokens)).view(1, 1, -1, 1)
    return KeyValues(key, -key)


def test_reading_on_writes_into_the_room_behind_and_moves_nothing() -> None:
    past = numbered(2, 3).extend(*_new(2, 7.0))
    longer = past.extend(*_new(2, 8.0))
    assert longer.key.data_ptr() == past.key.data_ptr()
    assert longer.key[1].flatten().tolist() == [100, 101, 102, 7, 8]
    assert past.key[1].flatten().tolist() == [100, 101, 102, 7]


def test_two_ways_of_reading_on_do_not_write_over_each_other() -> None:
    past = numbered(1, 2).extend(*_new(1, 7.0))
    one, other = past.extend(*_new(1, 8.0)), past.extend(*_new(1, 9.0))
    assert one.key.flatten().tolist() == [0, 1, 7, 8]
    assert other.key.flatten().tolist() == [0, 1, 7, 9]
    assert other.value.flatten().tolist() == [0, -1, -7, -9]


def test_reading_on_far_beyond_the_room() -> None:
    past = numbered(2, 1)
    for number in range(1, 3 * ROOM):
        past = past.extend(*_new(2, float(number)))
    assert past.key[0].flatten().tolist() == list(range(3 * ROOM))


def test_gradients_flow_through_what_was_read_before() -> None:
    key = torch.ones(1, 1, 1, 1, requires_grad=True)
    past = KeyValues(key, key)
    for _ in range(3):
        past = past.extend(2 * key, key)
    past.key.pow(2).sum().backward()
    assert key.grad is not None
    assert float(key.grad) == 2 + 3 * 8


def test_rows_that_stay_take_the_places_of_those_that_left() -> None:
    past = numbered(5, 2).extend(*_new(5, 7.0))
    kept = past.keep(torch.tensor([0, 4, 2]))
    assert kept.key[:, 0].flatten(1).tolist() == [[0, 1, 7], [400, 401, 7], [200, 201, 7]]
    assert kept.key.data_ptr() == past.key.data_ptr()
    longer = kept.extend(*_new(3, 9.0))
    assert longer.value[:, 0].flatten(1).tolist() == [[0, -1, -7, -9], [-400, -401, -7, -9], [-200, -201, -7, -9]]
    assert longer.key.data_ptr() == past.key.data_ptr()


def test_rows_read_in_parts_stand_where_they_belong() -> None:
    """Behind a shorter part there is nothing, and what comes next stands behind the longest."""
    both = KeyValues.for_rows(numbered(1, 2), rows=3, tokens=3)
    both.put(torch.tensor([1]), numbered(1, 2, first=1.0))
    both.put(torch.tensor([2, 0]), numbered(2, 3))
    assert both.key[:, 0].flatten(1).tolist() == [[100, 101, 102], [1, 2, 0], [0, 1, 2]]
    assert both.extend(*_new(3, 9.0)).key[:, 0, -1, 0].tolist() == [9, 9, 9]


def _new(rows: int, value: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((rows, 1, 1, 1), value), torch.full((rows, 1, 1, 1), -value)
