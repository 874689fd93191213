"""Rows laid end to end give what padded rows give, values and gradients; and little padding is left."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from tuwen.layers import ragged
from tuwen.layers.blocks import Block, CrossBlock
from tuwen.layers.pooling import last_pool, mean_pool
from tuwen.layers.ragged import Groups, Ragged, cut, put, take

WIDTH = 8
LENGTHS = [[3], [2, 5, 2, 1], [4, 4, 4], [7, 1, 6, 6, 2, 7, 3, 3, 1], [0, 3]]


def mask_of(lengths: list[int], wider: int = 0) -> Tensor:
    return torch.arange(max(lengths) + wider) < torch.tensor(lengths)[:, None]


@pytest.fixture(autouse=True)
def _small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few short rows make several buckets, some of them with padding, and are filled up."""
    monkeypatch.setattr(ragged, "BUCKET", 2 * WIDTH**2)
    monkeypatch.setattr(ragged, "SIZES", 1)


@pytest.mark.parametrize("causal", [False, True], ids=["both ways", "causal"])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_a_block_sees_each_row_alone(lengths: list[int], causal: bool) -> None:
    torch.manual_seed(0)
    mask = mask_of(lengths, wider=2)
    block = Block(WIDTH, 2).double()
    seen = mask if min(lengths) else mask.index_put((torch.tensor(lengths) == 0,), torch.tensor(True))
    padded = torch.randn(*mask.shape, WIDTH, dtype=torch.float64).requires_grad_()
    same = padded.detach().clone().requires_grad_()
    layout = Ragged.of(mask, WIDTH, causal)
    allowed = seen[:, None, None] & (torch.ones(2 * [mask.shape[1]]).tril().bool() if causal else torch.tensor(True))
    wanted = block(padded, allowed) * mask.unsqueeze(-1)
    laid = block(layout.lay(same), layout)
    found = layout.spread(laid)
    torch.testing.assert_close(found, wanted)
    full = [row for row, length in enumerate(lengths) if length]
    for pool in (mean_pool, last_pool):
        torch.testing.assert_close(layout.pool(laid, pool)[full], pool(wanted, mask)[full])
    weights = torch.randn_like(wanted)
    (of_padded,) = torch.autograd.grad((wanted * weights).sum(), [padded])
    (of_laid,) = torch.autograd.grad((found * weights).sum(), [same])
    torch.testing.assert_close(of_laid, of_padded * mask.unsqueeze(-1))


@pytest.mark.parametrize(("lengths", "groups"), [([3], 1), ([2, 5, 2, 1], 2), ([7, 1, 6, 6, 2, 7], 3), ([0, 3], 2)])
def test_a_cross_block_reads_each_groups_context(lengths: list[int], groups: int) -> None:
    torch.manual_seed(0)
    mask = mask_of(lengths, wider=2)
    block = CrossBlock(WIDTH, 2, context_width=5).double()
    there = torch.tensor([[True] * 4, [True, False, True, False], [False, True, True, True]])[:groups]
    tokens = torch.randn(*mask.shape, WIDTH, dtype=torch.float64)
    pictures = torch.randn(groups, 4, 5, dtype=torch.float64)
    weights = torch.randn_like(tokens)

    def padded(tokens: Tensor, pictures: Tensor) -> Tensor:
        seen = mask.index_put((~mask.any(1),), torch.tensor(True))[:, None, None]
        x = tokens + block.attention(block.attention_norm(tokens), seen)[0]
        x = x + block.cross(block.cross_norm(x), block.cross.project(pictures), there)
        return (x + block.mlp(block.mlp_norm(x))) * mask.unsqueeze(-1)

    def laid(tokens: Tensor, pictures: Tensor) -> Tensor:
        layout = Ragged.of(mask, WIDTH)
        context = block.cross.project(pictures)
        return layout.spread(block(layout.lay(tokens), context, Groups.of(layout, groups), there))

    outcomes = []
    for way in (padded, laid):
        inputs = [given.clone().requires_grad_() for given in (tokens, pictures)]
        found = way(*inputs)
        total = (found * weights).sum()
        outcomes.append([found, *torch.autograd.grad(total, [*inputs, *block.parameters()])])
    outcomes[0][1] *= mask.unsqueeze(-1)  # where there is no token, only padding reads padding
    for wanted, got in zip(*outcomes, strict=True):
        torch.testing.assert_close(got, wanted)


def test_rows_that_cannot_be_shared_out_evenly_are_no_groups() -> None:
    with pytest.raises(RuntimeError, match="shape"):
        Groups.of(Ragged.of(mask_of([4, 4, 4]), WIDTH), 2)


def test_what_is_taken_takes_its_gradient_back() -> None:
    values = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    index = torch.tensor([3, 0, 4])
    assert torch.equal(take(values, index, 5), torch.cat([values[index], torch.zeros(2, 2)]))
    assert torch.autograd.gradcheck(lambda values: take(values, index, 5), values)
    assert torch.equal(put(take(values, index, 5), index, 5)[index], values[index])


def test_short_rows_are_attended_to_in_float32_also_in_bf16() -> None:
    torch.manual_seed(0)
    mask = mask_of([5, 3, 8])
    block, tokens = Block(WIDTH, 2), torch.randn(*mask.shape, WIDTH)
    layout = Ragged.of(mask, WIDTH)
    read: list[torch.dtype] = []
    block.attention.out.register_forward_pre_hook(lambda _, given: read.append(given[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        found = layout.spread(block(layout.lay(tokens), layout))
    assert read == [torch.float32]
    torch.testing.assert_close(found, layout.spread(block(layout.lay(tokens), layout)), atol=3e-2, rtol=3e-2)


@pytest.mark.parametrize(("rows", "laid"), [(1, 7), (40, 280), (100, 704)])
def test_laid_tokens_are_filled_up_to_sizes_of_which_there_are_few(
    rows: int, laid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    layout = Ragged.of(mask_of([7] * rows), WIDTH)
    assert layout.size == laid
    tokens = layout.lay(torch.ones(rows, 7, WIDTH))
    assert tokens.shape == (1, laid, WIDTH)
    assert tokens.sum() == rows * 7 * WIDTH


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_every_token_is_laid_once(lengths: list[int]) -> None:
    mask = mask_of(lengths)
    layout = Ragged.of(mask, WIDTH)
    numbers = torch.arange(mask.numel()).view(mask.shape)
    laid = layout.lay(numbers)[0].tolist()
    own = laid[: len(layout.place)]
    assert len(set(own)) == len(own)
    assert set(numbers[mask].tolist()) <= set(own)
    assert not any(laid[len(own) :]), "what fills up is zeros"
    assert layout.waste == pytest.approx(1 - sum(lengths) / len(laid))


def test_no_rows_are_no_tokens() -> None:
    layout = Ragged.of(torch.zeros(0, 3, dtype=torch.bool), WIDTH)
    laid = Block(WIDTH, 2)(layout.lay(torch.zeros(0, 3, WIDTH)), layout)
    assert laid.shape == (1, 0, WIDTH)
    assert layout.spread(laid).shape == (0, 3, WIDTH)
    assert layout.pool(laid, mean_pool).shape == (0, WIDTH)
    block = CrossBlock(WIDTH, 2, context_width=5)
    assert block(laid, block.cross.project(torch.zeros(0, 4, 5)), Groups.of(layout, 0)).shape == (1, 0, WIDTH)


def test_the_cut_is_the_cheapest_of_all() -> None:
    lengths = sorted(np.random.default_rng(0).integers(1, 9, 12).tolist())

    def cost(ends: tuple[int, ...]) -> int:
        bounds = [0, *ends, len(lengths)]
        pairs = pairwise(bounds)
        return sum((end - start) * lengths[end - 1] + 2 for start, end in pairs)

    places = range(1, len(lengths))
    least = min(cost(ends) for number in range(len(lengths)) for ends in combinations(places, number))
    assert sum(rows * length + 2 for rows, length in cut(lengths, 2)) == least
    assert sum(rows for rows, _ in cut(lengths, 2)) == len(lengths)


def test_captions_of_6_to_18_tokens_waste_less_than_a_twentieth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    lengths = np.random.default_rng(0).integers(6, 19, 128).tolist()
    assert Ragged.of(mask_of(lengths), width=256).waste < 0.05
    assert sum(lengths) / (128 * 18) < 0.7, "padded to the longest it would be a third"
