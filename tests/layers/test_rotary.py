"""Rotations by hand, and what they are for."""

import math

import pytest
import torch

from tests import tiny
from tuwen.core.errors import RecipeError
from tuwen.language import causal_mask, positions_in
from tuwen.layers.rotary import Rotation


def test_two_numbers_are_turned_by_their_place() -> None:
    turn = Rotation.of(torch.tensor([[0, 1, 5]]), 2)
    found = turn(torch.tensor([1.0, 0.0]).expand(1, 1, 3, 2))[0, 0]
    wanted = [[math.cos(angle), math.sin(angle)] for angle in (0, 1, 5)]
    torch.testing.assert_close(found, torch.tensor(wanted))


def test_slower_pairs_by_hand() -> None:
    """Heads of width 4: the second pair turns by 10000^(-2/4) = 1/100 of the first's angle."""
    found = Rotation.of(torch.tensor([[3]]), 4)(torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]]))[0, 0, 0]
    wanted = [math.cos(3), math.cos(0.03), math.sin(3), math.sin(0.03)]
    torch.testing.assert_close(found, torch.tensor(wanted))


def test_products_tell_distances_alone() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 16, dtype=torch.float64)

    def product(one: int, other: int) -> float:
        turned = Rotation.of(torch.tensor([[one]]), 16)(query)
        return float((turned * Rotation.of(torch.tensor([[other]]), 16)(key)).sum())

    assert product(3, 7) == pytest.approx(product(103, 107), abs=1e-5)
    assert abs(product(3, 7) - product(3, 8)) > 1e-3


def test_a_language_model_with_rotary_positions_reads_the_same_anywhere() -> None:
    """The same text at another place, alone in view, gives the same; a learned position would not."""
    language = tiny.model(language={"kind": "gpt", "width": 24, "depth": 2, "heads": 2, "positions": "rotary"}).language
    assert language is not None
    assert not any("position" in name for name, _ in language.named_parameters())
    ids = torch.arange(10, 20)[None]
    ones = torch.ones_like(ids)
    here = language(language.embed(ids), positions_in(ones), causal_mask(ones))
    there = language(language.embed(ids), positions_in(ones) + 30, causal_mask(ones))
    torch.testing.assert_close(here, there, atol=1e-4, rtol=1e-4)
    turned = language(language.embed(ids.flip(1)), positions_in(ones), causal_mask(ones))
    assert (turned[:, -1] - here[:, 0]).abs().max() > 1e-2


def test_a_step_after_a_past_equals_reading_all_at_once() -> None:
    language = tiny.model(language={"kind": "gpt", "width": 24, "depth": 2, "heads": 2, "positions": "rotary"}).language
    assert language is not None
    ids = torch.arange(10, 20)[None]
    ones = torch.ones_like(ids)
    mask, places, x = causal_mask(ones), positions_in(ones), language.embed(ids)
    whole = language(x, places, mask)
    first, past = language.step(x[:, :6], places[:, :6], mask[:, :6, :6], None)
    second, _ = language.step(x[:, 6:], places[:, 6:], mask[:, 6:], past)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, atol=1e-5, rtol=1e-5)


def test_heads_of_an_odd_width_cannot_be_turned() -> None:
    with pytest.raises(RecipeError, match="heads of an even width, not 5"):
        tiny.model(language={"kind": "gpt", "width": 10, "depth": 1, "heads": 2, "positions": "rotary"})
