"""Attention against a float64 loop over queries and keys; its shorter ways against doing all anew."""

import math

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tuwen.layers.attention import LESS, CrossAttention, SelfAttention, attention, attention_by
from tuwen.layers.linear import Linear
from tuwen.layers.rotary import Rotation

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


FEW, MANY = (1, 12), (1, 11)
"""Queries and keys: with heads of two numbers and tokens of six, the first go without keys, and the second just not."""


@pytest.mark.parametrize("shape", [FEW, MANY])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_attention_without_keys_and_values_is_attention_with_them(
    shape: tuple[int, int], biased: bool, masked: bool
) -> None:
    torch.manual_seed(0)
    asked, length = shape
    layer = Linear(6, 1 + 2 * 4, bias=biased).double()
    query = torch.randn(3, 2, asked, 2, dtype=torch.float64, requires_grad=True)
    tokens = torch.randn(3, length, 6, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(3, 1, asked, length) < 0.5 if masked else None
    if mask is not None:
        mask[..., 0] = True
    weights = torch.randn(3, asked, 4, dtype=torch.float64)
    leaves = [query, tokens, *layer.parameters()]

    key, value = layer(tokens)[..., 1:].view(3, length, 2, 2, 2).permute(2, 0, 3, 1, 4)
    seen = None if mask is None else mask.expand(3, 2, asked, length)
    wanted = by_hand(query, key, value, seen).transpose(1, 2).flatten(2)
    found = attention_by(layer, 1, query, tokens, mask)

    torch.testing.assert_close(found, wanted)
    for one, other in zip(*(torch.autograd.grad((x * weights).sum(), leaves) for x in (found, wanted)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize(("shape", "less"), [(FEW, True), (MANY, False)])
def test_keys_and_values_are_left_out_where_that_is_less_to_do(shape: tuple[int, int], less: bool) -> None:
    asked, length = shape
    layer, query, tokens = Linear(6, 8), torch.randn(3, 2, asked, 2), torch.randn(3, length, 6)
    with FlopCounterMode(display=False) as counted:
        attention_by(layer, 0, query, tokens)
    with_both = 2 * 3 * length * (6 * 8 + 2 * asked * 4)
    assert (counted.get_total_flops() <= LESS * with_both) == less
    assert (counted.get_total_flops() == with_both) != less


@pytest.mark.parametrize("layer", [torch.nn.Sequential(Linear(8, 24)), Linear(8, 24)], ids=["adapted", "plain"])
@pytest.mark.parametrize("asking", [[[8], [3]], [[8, 0, 4], [3, 3, 1]]], ids=["few", "many"])
def test_some_tokens_ask_as_if_all_did(layer: torch.nn.Module, asking: list[list[int]]) -> None:
    """Also where the layer is more than its weights, and where positions are told by rotation."""
    torch.manual_seed(0)
    module = SelfAttention(8, heads=2)
    module.qkv = layer  # type: ignore[assignment]
    x, places = torch.randn(2, 9, 8), torch.tensor(asking)
    causal = torch.ones(2, 1, 9, 9, dtype=torch.bool).tril()
    turned = Rotation.of(torch.arange(9.0).expand(2, 9), 4)
    rows = torch.arange(2)[:, None]
    there = torch.ones(2, 1, 1, 9, dtype=torch.bool)
    there[0, ..., 5:] = False
    for mask, rotation in ((None, None), (causal, None), (causal[0, 0], None), (there, None), (causal, turned)):
        wanted = module(x, mask, None, rotation)[0][rows, places]
        torch.testing.assert_close(module.asked(x, places, mask, rotation), wanted)


@pytest.mark.parametrize("asked", [1, 5])
def test_a_context_that_few_read_is_read_as_any_other(asked: int) -> None:
    torch.manual_seed(0)
    module = CrossAttention(8, heads=2, context_width=6)
    x, context, mask = torch.randn(2, asked, 8), torch.randn(2, 9, 6), torch.rand(2, 9) < 0.7
    mask[:, 0] = True
    torch.testing.assert_close(module.by_few(x, context, mask), module(x, module.project(context), mask))


def test_cross_attention_reads_no_key_that_is_masked() -> None:
    torch.manual_seed(0)
    module = CrossAttention(8, heads=2, context_width=5)
    picture, text = torch.randn(1, 4, 5), torch.randn(1, 3, 8)
    mask = torch.tensor([[True, True, False, False]])
    masked = module(text, module.project(picture), mask)
    torch.testing.assert_close(masked, module(text, module.project(picture[:, :2])))
