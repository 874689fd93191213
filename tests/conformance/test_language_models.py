"""Whatever stands in `language` reads from left to right, each text by itself, and goes on from what it has read."""

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor

from tests.conformance.checks import (
    CLOSE,
    assert_every_weight_learns,
    assert_saved_weights_are_all_of_it,
    build,
    random,
)
from tests.conformance.reading import assert_reading_on_equals_reading_at_once, read
from tuwen.core.rooms import names
from tuwen.language import PREFIX, LanguageContext, LanguageModel, causal_mask, positions_in

ROOM = "language"
CONTEXT = LanguageContext(vocab_size=50, max_length=16)
IDS = torch.randint(1, 50, (3, 10), generator=torch.Generator().manual_seed(0))
SEGMENTS = (torch.arange(10) < torch.tensor([10, 3, 6])[:, None]).long()


@pytest.fixture(params=names(ROOM))
def language(request: pytest.FixtureRequest) -> LanguageModel:
    return build(ROOM, request.param, CONTEXT).eval()


def outputs(language: LanguageModel) -> Iterable[Tensor]:
    hidden = read(language, IDS, SEGMENTS)
    return hidden, language.logits(hidden)


def test_shapes_are_those_that_it_promises(language: LanguageModel) -> None:
    hidden = read(language, IDS, SEGMENTS)
    assert language.max_length == CONTEXT.max_length
    assert hidden.shape == (3, 10, language.width)
    assert hidden.isfinite().all()
    assert language.embed(IDS).shape == (3, 10, language.width)
    assert language.logits(hidden).shape == (3, 10, CONTEXT.vocab_size)
    assert language.logits(hidden[0, 0]).shape == (CONTEXT.vocab_size,)


def test_no_token_sees_what_comes_after_it(language: LanguageModel) -> None:
    other = IDS.clone()
    other[:, 6:] = other[:, 6:].flip(0)
    ones = torch.ones_like(IDS)
    before, after = read(language, IDS, ones), read(language, other, ones)
    torch.testing.assert_close(after[:, :6], before[:, :6], **CLOSE)
    assert (after[:, 6:] - before[:, 6:]).abs().max() > 1e-3


def test_a_text_is_the_same_alone_and_in_any_company(language: LanguageModel) -> None:
    order = torch.tensor([2, 0, 1])
    together = read(language, IDS, SEGMENTS)
    torch.testing.assert_close(read(language, IDS[order], SEGMENTS[order]), together[order], **CLOSE)
    for row, length in enumerate(SEGMENTS.sum(1).tolist()):
        alone = read(language, IDS[row : row + 1, :length], SEGMENTS[row : row + 1, :length])
        torch.testing.assert_close(alone, together[row : row + 1, :length], **CLOSE)


@pytest.mark.parametrize("seen", [False, True])
def test_texts_packed_into_a_row_know_nothing_of_each_other(language: LanguageModel, seen: bool) -> None:
    prefix = random(1, 2, language.width) if seen else None
    lengths = (4, 2, 3)
    packed = torch.tensor([[1, 1, 1, 1, 2, 2, 3, 3, 3, 0]])
    together = read(language, IDS[:1], packed, prefix)
    for end, length in zip(torch.tensor(lengths).cumsum(0).tolist(), lengths, strict=True):
        alone = read(language, IDS[:1, end - length : end], torch.ones(1, length, dtype=torch.int64), prefix)
        torch.testing.assert_close(together[:, end - length : end], alone, **CLOSE)


def test_padding_far_beyond_the_longest_text_is_harmless(language: LanguageModel) -> None:
    far = 3 * CONTEXT.max_length
    ids, segments = torch.zeros(1, far, dtype=torch.int64), torch.zeros(1, far, dtype=torch.int64)
    ids[:, :10], segments[:, :10] = IDS[:1], 1
    torch.testing.assert_close(
        read(language, ids, segments)[:, :10], read(language, IDS[:1], segments[:, :10]), **CLOSE
    )


def test_every_token_sees_the_prefix(language: LanguageModel) -> None:
    packed = torch.tensor([[1, 1, 1, 1, 2, 2, 3, 3, 3, 3]])
    one, other = (read(language, IDS[:1], packed, random(1, 2, language.width, seed=seed)) for seed in (1, 2))
    assert (one - other).abs().amax(-1).min() > 1e-4


@pytest.mark.parametrize("cuts", [[3, 1, 1, 5], [1] * 10, [10]])
def test_reading_on_from_the_past_equals_reading_all_at_once(language: LanguageModel, cuts: list[int]) -> None:
    assert_reading_on_equals_reading_at_once(language, IDS, cuts)


def test_one_token_of_each_row_is_read_as_among_all(language: LanguageModel) -> None:
    asking = SEGMENTS.sum(1) - 1
    mask, places, embeddings = causal_mask(SEGMENTS), positions_in(SEGMENTS), language.embed(IDS)
    every, wanted = language.step(embeddings, places, mask, None)
    one, past = language.read(embeddings, places, mask, asking)
    torch.testing.assert_close(one, every[torch.arange(3), asking], **CLOSE)
    for layer, other in zip(past, wanted, strict=True):
        torch.testing.assert_close((layer.key, layer.value), (other.key, other.value), **CLOSE)


def test_some_tokens_of_each_row_are_read_as_among_all(language: LanguageModel) -> None:
    asking = torch.tensor([[0, 2, 2], [1, 0, 3], [2, 1, 0]])
    given = language.embed(IDS), positions_in(SEGMENTS), causal_mask(SEGMENTS)
    wanted = language(*given)[torch.arange(3)[:, None], asking]
    torch.testing.assert_close(language.hidden_at(*given, asking), wanted, **CLOSE)


def test_every_weight_learns(language: LanguageModel) -> None:
    assert_every_weight_learns(language.train(), outputs(language))


@pytest.mark.parametrize("kind", names(ROOM))
def test_saved_weights_are_all_of_it(kind: str) -> None:
    assert_saved_weights_are_all_of_it(ROOM, kind, CONTEXT, outputs)


def test_the_mask_and_the_places_by_hand() -> None:
    """A prefix of two, two texts of two and one tokens, and padding."""
    segments = torch.tensor([[PREFIX, PREFIX, 1, 1, 2, 0]])
    assert causal_mask(segments)[0].int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [1, 1, 0, 0, 0, 1],
    ]
    assert positions_in(segments).tolist() == [[0, 1, 2, 3, 2, 0]]
