"""Batches in which some samples have a picture and some have none."""

from dataclasses import replace

import pytest
import torch

from tests import tiny
from tests.conformance.checks import CLOSE
from tuwen.core.batch import Row
from tuwen.core.errors import DataError
from tuwen.prep.batches import Encoded, collate


def told(prompt: str, answer: str) -> Row:
    asked, said = tiny.tokenizer().prompt(prompt), tiny.tokenizer().answer(answer)
    return Row(asked + said, [False] * len(asked) + [True] * len(said))


SCENES = [sample.image for sample in tiny.scenes()["train"][:2]]
PAIRED = [Encoded(str(n), image, {"words": [told("caption:", f"{n} circles")]}) for n, image in enumerate(SCENES)]  # type: ignore[arg-type]
TEXTS = [Encoded(f"text {n}", None, {"words": [told("", f"a text by itself {n}")]}) for n in range(3)]


@pytest.mark.parametrize("packed", [frozenset(), frozenset({"words"})])
def test_a_language_model_reads_texts_by_themselves_as_if_no_picture_were_near(packed: frozenset[str]) -> None:
    model, pad = tiny.model(), tiny.tokenizer().pad

    def predictions(samples: list[Encoded]) -> dict[tuple[int, ...], torch.Tensor]:
        batch = collate(samples, pad, packed)
        found, text = model(batch).predictions("words"), batch.texts["words"]
        assert text.loss_mask is not None
        place = found.rows * 100 + text.segments[text.loss_mask]
        return {
            tuple(found.targets[place == one].tolist()): found.logits[place == one] for one in place.unique().tolist()
        }

    together = predictions([TEXTS[0], PAIRED[0], TEXTS[1], PAIRED[1], TEXTS[2]])
    apart = predictions(PAIRED) | predictions(TEXTS)
    assert together.keys() == apart.keys()
    assert len(apart) == 5
    for text in apart:
        torch.testing.assert_close(together[text], apart[text], **CLOSE)


def test_a_text_by_itself_is_joined_with_no_picture() -> None:
    samples = [replace(sample, rows={"vqa": [Row([1, 9, 2])]}) for sample in (PAIRED[0], TEXTS[0])]
    forward = tiny.model()(collate(samples, 0))
    with pytest.raises(DataError, match="some texts of 'vqa' have no picture that they could be joined with"):
        forward.fused("vqa")


def test_the_other_view_is_encoded_as_the_first() -> None:
    model = tiny.model()
    batch = tiny.batch([[], []])
    assert batch.pixels is not None
    other = batch.pixels.flip(2)
    forward = model(replace(batch, views=other))
    torch.testing.assert_close(forward.view.pooled, model(replace(batch, pixels=other)).image.pooled)
    assert not torch.allclose(forward.view.pooled, forward.image.pooled)
    with pytest.raises(DataError, match="asks for pictures, but the batch has none"):
        _ = model(batch).view
