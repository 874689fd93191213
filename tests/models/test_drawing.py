"""Tokens that are drawn: from the nucleus, by the seed and the row's number alone."""

from __future__ import annotations

import pytest
import torch

from tests.models.speaking import EOS, a_language_model, embedded, ids, scores
from tuwen.core.errors import RecipeError
from tuwen.core.rooms import validate
from tuwen.models.generate import Decoding, _Chooser, generate, generate_batches, nucleus


def test_one_share_of_the_nucleus_by_hand() -> None:
    """Shares 0.5, 0.3, 0.15, 0.05: the nucleus of 0.7 has the first two, which have 5/8 and 3/8 of it."""
    logits = torch.tensor([0.15, 0.5, 0.05, 0.3]).log().expand(5, 4)
    draws = torch.tensor([0.0, 0.62, 0.63, 0.9, 0.999])
    assert nucleus(logits, 0.7, draws).tolist() == [1, 1, 3, 3, 3]
    assert nucleus(logits, 0.3, draws).tolist() == [1] * 5
    assert nucleus(logits, 1.0, torch.tensor([0.49, 0.79, 0.94, 0.96, 0.9999])).tolist() == [1, 3, 0, 2, 2]


def test_what_is_drawn_follows_the_probabilities_and_the_seed() -> None:
    language = a_language_model()
    prompt = embedded(language)[0]
    shares = scores(language, prompt, []).exp()
    how = Decoding(max_new_tokens=1, top_p=1.0)
    drawn = [text.ids[0] for text in generate(language, [prompt] * 2000, -1, how)]
    counts = torch.bincount(torch.tensor(drawn), minlength=len(shares)) / 2000
    assert (counts - shares).abs().max() < 5 * (0.25 / 2000) ** 0.5
    longer = how.model_copy(update={"max_new_tokens": 5})
    first, other = (generate(language, embedded(language), EOS, longer.model_copy(update={"seed": s})) for s in (1, 2))
    assert first == generate(language, embedded(language), EOS, longer.model_copy(update={"seed": 1}))
    assert first != other


def test_what_a_row_draws_does_not_depend_on_company() -> None:
    language = a_language_model()
    prompts = embedded(language)
    how = Decoding(max_new_tokens=6, top_p=0.9, temperature=1.5)
    assert generate(language, prompts, EOS, how)[0].ids == generate(language, prompts[:1], EOS, how)[0].ids


def test_a_row_draws_by_its_number_among_all_that_are_asked() -> None:
    """Equal prompts, in one batch or in several: no two rows of a seed, and no two seeds, draw the same."""
    language = a_language_model()
    prompts = embedded(language)[:1] * 6
    drawn = list[list[int]]()
    for seed in (0, 1, 2**32, 2**45, 2**200):
        how = Decoding(max_new_tokens=10, top_p=1.0, seed=seed)
        whole = ids(generate(language, prompts, -1, how))
        parts = generate_batches(language, [prompts[:2]] * 3, -1, how)
        assert [text for part in parts for text in ids(part)] == whole
        drawn += whole
    assert len(set(map(tuple, drawn))) == 5 * 6


def test_no_seed_and_row_draw_what_another_seed_and_row_do() -> None:
    """Large numbers of the one are not taken for small ones of the other."""
    even = torch.zeros(1, 1000)
    drawn = set()
    for seed, row in ((0, 0), (1, 0), (0, 1), (0, 2**20), (2**20, 0), (2**32, 0)):
        choose = _Chooser(Decoding(max_new_tokens=8, top_p=1.0, seed=seed), [row])
        drawn.add(tuple(int(choose(even, [0])) for _ in range(8)))
    assert len(drawn) == 6


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-3])
def test_a_cold_draw_is_the_likeliest_token(temperature: float) -> None:
    logits = torch.tensor([[0.1, -3.0, 0.2], [-1e4, -2e4, -3e4]])
    for draw in (0.0, 0.5, 1.0):
        assert nucleus(logits, 1.0, torch.tensor([draw] * 2), temperature).tolist() == [2, 0]
    language = a_language_model()
    drawn = Decoding(max_new_tokens=5, top_p=0.9, temperature=temperature)
    greedy = generate(language, embedded(language), EOS, Decoding(max_new_tokens=5))
    assert ids(generate(language, embedded(language), EOS, drawn)) == ids(greedy)


def test_a_hot_draw_is_of_all_tokens_alike() -> None:
    draws = torch.tensor([0.1, 0.4, 0.6, 0.9])
    drawn = nucleus(torch.tensor([3.0, 0.0, 1.0, 2.0]).expand(4, 4), 1.0, draws, 1e300)
    assert sorted(drawn.tolist()) == [0, 1, 2, 3]


def test_beams_do_not_draw() -> None:
    with pytest.raises(RecipeError, match="generate: beams search and top_p draws: leave top_p out, or use beams=1"):
        validate(Decoding, {"beams": 2, "top_p": 0.9}, "generate")
