"""Whatever stands in `fusion` joins each text with the picture that it is given, and with no other."""

import sys
from collections.abc import Iterable
from dataclasses import replace

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
from tuwen.core.features import Features
from tuwen.core.rooms import names
from tuwen.fusion import Fusion, FusionContext

ROOM = "fusion"
CONTEXT = FusionContext(image_width=24, text_width=40)
EACH = 2
MASK = torch.arange(7) < torch.tensor([7, 3, 1, 5, 7, 2])[:, None]
IMAGE = Features(random(3, 9, 24), random(3, 24))
TEXT = Features(random(6, 7, 40, seed=2), random(6, 40, seed=3), MASK)


@pytest.fixture(params=names(ROOM))
def fusion(request: pytest.FixtureRequest) -> Fusion:
    return build(ROOM, request.param, CONTEXT).eval()


def outputs(fusion: Fusion) -> Iterable[Tensor]:
    features = fusion(IMAGE, TEXT)
    return features.tokens, features.pooled


def rows_of(features: Features, rows: Tensor) -> Features:
    mask = None if features.mask is None else features.mask[rows]
    return Features(features.tokens[rows], features.pooled[rows], mask)


def test_shapes_are_those_that_it_promises(fusion: Fusion) -> None:
    features = fusion(IMAGE, TEXT)
    assert features.pooled.shape == (6, fusion.width)
    assert features.tokens.shape[::2] == (6, fusion.width)
    assert features.mask is None or features.mask.shape == features.tokens.shape[:2]
    assert features.tokens.isfinite().all()
    assert features.pooled.isfinite().all()


def test_texts_in_turn_meet_the_pictures_that_are_named_for_them(fusion: Fusion) -> None:
    in_turn, named = fusion(IMAGE, TEXT), fusion(IMAGE, TEXT, torch.arange(3).repeat_interleave(EACH))
    torch.testing.assert_close(in_turn.pooled, named.pooled, **CLOSE)
    torch.testing.assert_close(in_turn.tokens, named.tokens, **CLOSE)


def test_any_text_can_meet_any_picture(fusion: Fusion) -> None:
    texts, pictures = torch.tensor([5, 0, 0, 3]), torch.tensor([0, 2, 1, 1])
    found = fusion(IMAGE, rows_of(TEXT, texts), pictures)
    for row, (text, picture) in enumerate(zip(texts, pictures, strict=True)):
        alone = fusion(rows_of(IMAGE, picture[None]), rows_of(TEXT, text[None]))
        torch.testing.assert_close(found.pooled[row : row + 1], alone.pooled, **CLOSE)


def test_what_stands_behind_the_end_of_a_text_changes_nothing(fusion: Fusion) -> None:
    other = replace(TEXT, tokens=torch.where(MASK[..., None], TEXT.tokens, 9.0))
    torch.testing.assert_close(fusion(IMAGE, other).pooled, fusion(IMAGE, TEXT).pooled, **CLOSE)


def test_what_a_picture_has_not_changes_nothing(fusion: Fusion) -> None:
    there = torch.arange(9) < torch.tensor([9, 4, 6])[:, None]
    masked = replace(IMAGE, mask=there)
    other = replace(masked, tokens=torch.where(there[..., None], IMAGE.tokens, 9.0))
    for rows in (None, torch.tensor([0, 0, 1, 2, 2, 2])):
        torch.testing.assert_close(fusion(other, TEXT, rows).pooled, fusion(masked, TEXT, rows).pooled, **CLOSE)


def test_the_order_of_the_rows_does_not_matter(fusion: Fusion) -> None:
    order, owner = torch.tensor([4, 2, 0, 5, 1, 3]), torch.tensor([0, 0, 1, 2, 2, 2])
    together, shuffled = fusion(IMAGE, TEXT, owner), fusion(IMAGE, rows_of(TEXT, order), owner[order])
    torch.testing.assert_close(shuffled.pooled, together.pooled[order], **CLOSE)


def test_it_reads_both_the_picture_and_the_text(fusion: Fusion) -> None:
    base = fusion(IMAGE, TEXT).pooled
    picture = fusion(Features(IMAGE.tokens.flip(0), IMAGE.pooled.flip(0)), TEXT).pooled
    text = fusion(IMAGE, rows_of(TEXT, torch.arange(6).flip(0))).pooled
    assert (picture - base).abs().max() > 1e-3
    assert (text - base).abs().max() > 1e-3


def test_every_weight_learns(fusion: Fusion) -> None:
    assert_every_weight_learns(fusion.train(), outputs(fusion))


@pytest.mark.parametrize("kind", names(ROOM))
def test_saved_weights_are_all_of_it(kind: str) -> None:
    assert_saved_weights_are_all_of_it(ROOM, kind, CONTEXT, outputs)


def test_a_vector_for_each_word_is_promised_by_those_that_give_one(fusion: Fusion) -> None:
    of_words = getattr(sys.modules[type(fusion).__module__], "OF_WORDS", False)
    assert of_words == (fusion(IMAGE, TEXT).tokens.shape[1] == TEXT.tokens.shape[1])
