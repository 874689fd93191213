"""Whatever stands in `towers/text` reads each text by itself, and nothing behind its end."""

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor

from tests.conformance.checks import CLOSE, assert_every_weight_learns, assert_saved_weights_are_all_of_it, build
from tuwen.core.rooms import names
from tuwen.towers.text import TextContext, TextTower

ROOM = "towers.text"
CONTEXT = TextContext(vocab_size=50, max_length=12)
LENGTHS = (12, 2, 7, 5)
IDS = torch.randint(1, 50, (4, 12), generator=torch.Generator().manual_seed(0))
MASK = torch.arange(12) < torch.tensor(LENGTHS)[:, None]


@pytest.fixture(params=names(ROOM))
def tower(request: pytest.FixtureRequest) -> TextTower:
    return build(ROOM, request.param, CONTEXT).eval()


def outputs(tower: TextTower) -> Iterable[Tensor]:
    features = tower(IDS, MASK)
    return features.tokens, features.pooled


def test_shapes_are_those_that_it_promises(tower: TextTower) -> None:
    features = tower(IDS, MASK)
    assert features.tokens.shape == (4, 12, tower.width)
    assert features.pooled.shape == (4, tower.width)
    assert features.mask is not None
    assert torch.equal(features.mask, MASK)
    assert features.tokens.isfinite().all()
    assert features.pooled.isfinite().all()


def test_the_vector_of_the_whole_alone_is_the_same(tower: TextTower) -> None:
    torch.testing.assert_close(tower.pooled(IDS, MASK), tower(IDS, MASK).pooled, **CLOSE)


def test_what_stands_behind_the_end_changes_nothing(tower: TextTower) -> None:
    other = torch.where(MASK, IDS, IDS.flip(0))
    assert not torch.equal(other, IDS)
    before, after = tower(IDS, MASK), tower(other, MASK)
    torch.testing.assert_close(after.pooled, before.pooled, **CLOSE)
    torch.testing.assert_close(after.tokens[MASK], before.tokens[MASK], **CLOSE)


def test_a_text_is_the_same_alone_and_in_any_company(tower: TextTower) -> None:
    order = torch.tensor([3, 1, 0, 2])
    together, shuffled = tower(IDS, MASK), tower(IDS[order], MASK[order])
    torch.testing.assert_close(shuffled.pooled, together.pooled[order], **CLOSE)
    for row, length in enumerate(LENGTHS):
        alone = tower(IDS[row : row + 1, :length], MASK[row : row + 1, :length])
        torch.testing.assert_close(alone.pooled, together.pooled[row : row + 1], **CLOSE)
        torch.testing.assert_close(alone.tokens, together.tokens[row : row + 1, :length], **CLOSE)


def test_every_weight_learns(tower: TextTower) -> None:
    assert_every_weight_learns(tower.train(), outputs(tower))


def test_under_autocast_it_is_finite_and_close(tower: TextTower) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        pooled = tower(IDS, MASK).pooled
    torch.testing.assert_close(pooled.float(), tower(IDS, MASK).pooled, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("kind", names(ROOM))
def test_saved_weights_are_all_of_it(kind: str) -> None:
    assert_saved_weights_are_all_of_it(ROOM, kind, CONTEXT, outputs)
