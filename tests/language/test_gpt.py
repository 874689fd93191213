"""The settings of `gpt`, against reading by hand: what holds for its defaults holds for all of them."""

import pytest
import torch

from tests.conformance.checks import CLOSE, assert_every_weight_learns, random
from tests.conformance.reading import assert_reading_on_equals_reading_at_once, read
from tuwen.core.rooms import build_part
from tuwen.language import PREFIX, LanguageContext, LanguageModel, causal_mask, positions_in
from tuwen.layers.local import Local

IDS = torch.randint(1, 50, (2, 10), generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=[("learned", 3), ("rotary", 0), ("rotary", 3)], ids=str)
def language(request: pytest.FixtureRequest) -> LanguageModel:
    positions, reach = request.param
    torch.manual_seed(0)
    spec = {"kind": "gpt", "width": 24, "depth": 2, "heads": 2, "positions": positions, "reach": reach}
    return build_part("language", spec, LanguageContext(vocab_size=50, max_length=16)).eval()


@pytest.mark.parametrize("seen", [False, True])
def test_packed_texts_know_nothing_of_each_other(language: LanguageModel, seen: bool) -> None:
    prefix = random(1, 2, language.width) if seen else None
    together = read(language, IDS[:1], torch.tensor([[1, 1, 1, 1, 2, 2, 3, 3, 3, 0]]), prefix)
    for start, end in ((0, 4), (4, 6), (6, 9)):
        alone = read(language, IDS[:1, start:end], torch.ones(1, end - start, dtype=torch.int64), prefix)
        torch.testing.assert_close(together[:, start:end], alone, **CLOSE)


@pytest.mark.parametrize("cuts", [[3, 1, 1, 5], [1] * 10])
def test_reading_on_from_the_past_equals_reading_all_at_once(language: LanguageModel, cuts: list[int]) -> None:
    assert_reading_on_equals_reading_at_once(language, IDS, cuts)


def test_every_weight_learns(language: LanguageModel) -> None:
    hidden = read(language, IDS, torch.ones_like(IDS))
    assert_every_weight_learns(language.train(), [hidden, language.logits(hidden)])


def test_shares_of_the_tokens_before_by_hand() -> None:
    """Two texts of two and three tokens behind a prefix of one, one channel; shares 0.5 and 0.25."""
    local = Local(1, 2)
    with torch.no_grad():
        local.shares.copy_(torch.tensor([[0.5], [0.25]]))
    segments = torch.tensor([[PREFIX, 1, 1, 2, 2, 2, 0]])
    tokens = torch.tensor([1.0, 10, 20, 100, 200, 300, 7])[None, :, None]
    found = local(tokens, positions_in(segments), causal_mask(segments))[0, :, 0].tolist()
    assert found == [1, 10.5, 25.25, 100.5, 250.25, 425, 7]
