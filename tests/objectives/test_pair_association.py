"""`½ Σ_ij (y_ij − softmax_j(f(image_i + text_j)))²`, against a loop in float64, values and gradients."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.objectives.given import gradients
from tuwen.core.batch import Batch
from tuwen.core.errors import RecipeError
from tuwen.models.model import VisionLanguageModel

TEXTS = {
    "one text a picture": [["a"], ["b"], ["c"]],
    "several texts a picture": [["a", "b"], ["c", "d"]],
    "two pictures with the same text": [["a"], ["b"], ["a"]],
    "a picture without a text": [["a", "b"], [], ["a", "c"]],
}


def model(fusion: str = "add", **head: Any) -> VisionLanguageModel:
    pair = {"reads": "fused", "classes": 1, "hidden": 8, **head}
    return tiny.model(fusion={"kind": fusion, "width": 16}, heads={"pair": pair}).double()


def softmax(scores: list[Tensor], place: int) -> Tensor:
    return scores[place].exp() / torch.stack([score.exp() for score in scores]).sum()


def by_hand(model: VisionLanguageModel, batch: Batch, over: str) -> Tensor:
    """Pair by pair; for one picture or text after the other. What has no partner is left out."""
    forward, owners = model(batch), batch.texts["retrieve"].image.tolist()
    images, texts = forward.image.pooled, forward.text("retrieve").pooled
    fusion, head = model.require("fusion"), model.head("pair")

    def score(picture: int, row: int) -> Tensor:
        return head(fusion.image(images[picture]) + fusion.text(texts[row]))[0]

    def right(picture: int, row: int) -> bool:
        """Whether it is one of the picture's own texts, word by word."""
        return any(torch.equal(ids[other], ids[row]) for other in rows if owners[other] == picture)

    ids = batch.texts["retrieve"].ids
    rows = [row for row in range(len(texts)) if owners[row] >= 0]
    pictures = [picture for picture in range(len(images)) if picture in owners]
    losses = []
    for one in pictures if over == "texts" else rows:
        others = rows if over == "texts" else pictures
        pairs = [(one, other) if over == "texts" else (other, one) for other in others]
        true = [right(*pair) for pair in pairs]
        scores = [score(*pair) for pair in pairs]
        losses += [(true[n] / sum(true) - softmax(scores, n)) ** 2 / 2 for n in range(len(pairs))]
    return torch.stack(losses).sum()


@pytest.mark.parametrize("over", ["texts", "pictures"])
@pytest.mark.parametrize("case", TEXTS)
def test_it_is_the_loop(over: str, case: str) -> None:
    whole, batch = model(), tiny.batch(TEXTS[case])
    objective = tiny.objective({"kind": "pair_association", "over": over})
    loss, wanted = objective(whole(batch)), by_hand(whole, batch, over)
    assert loss.sum.dtype == torch.float64
    torch.testing.assert_close(loss.sum, wanted)
    with_text = sum(1 for own in TEXTS[case] if own) if over == "texts" else sum(map(len, TEXTS[case]))
    assert objective.count(batch) == float(loss.count) == with_text
    weights = list(whole.parameters())
    for ours, theirs in zip(gradients(loss.sum, weights), gradients(wanted, weights), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("over", ["texts", "pictures"])
def test_a_text_without_a_picture_is_left_out(over: str) -> None:
    whole, batch = model(), tiny.batch([["a"], ["b"], ["c"]])
    text = replace(batch.texts["retrieve"], image=torch.tensor([0, -1, 2]), rows_per_image=None)
    batch = replace(batch, texts={"retrieve": text})
    objective = tiny.objective({"kind": "pair_association", "over": over})
    assert objective.count(batch) == 2
    torch.testing.assert_close(objective(whole(batch)).sum, by_hand(whole, batch, over))


def test_by_hand_for_scores_that_know_nothing() -> None:
    """Three texts, one right: ½ (⅔² + ⅓² + ⅓²) = ⅓ for each picture."""
    whole, batch = model(), tiny.batch(TEXTS["one text a picture"])
    with torch.no_grad():
        for weight in whole.head("pair").parameters():
            weight.zero_()
    assert tiny.objective({"kind": "pair_association"})(whole(batch)).mean.item() == pytest.approx(1 / 3)


@pytest.mark.parametrize("fusion", ["mean", "concat", "cross_attention"])
def test_any_fusion_will_do(fusion: str) -> None:
    changes = {"kind": fusion} if fusion != "cross_attention" else tiny.MODEL["fusion"]
    whole = tiny.model(fusion=changes, heads={"pair": {"reads": "fused", "classes": 1, "hidden": 8}})
    loss = tiny.objective({"kind": "pair_association"})(whole(tiny.batch(TEXTS["several texts a picture"])))
    assert 0 < loss.mean.item() < 1
    assert math.isfinite(loss.parts["recall_at_1"].item())


@pytest.mark.parametrize("head", [{"hidden": None}, {"classes": 2}])
def test_a_head_that_cannot_tell_pairs_apart_is_refused(head: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"head 'pair' has to give one number by a hidden layer .* `classes` to 1"):
        tiny.objective({"kind": "pair_association"})(model(**head)(tiny.batch([["a"], ["b"]])))


def test_a_linear_score_of_the_sum_would_be_the_same_for_every_picture() -> None:
    """Why a hidden layer is asked for: along the texts, a linear score of the sum says nothing of the picture."""
    whole, batch = model(hidden=None), tiny.batch(TEXTS["one text a picture"])
    forward = whole(batch)
    fusion = whole.require("fusion")
    sums = fusion.image(forward.image.pooled)[:, None] + fusion.text(forward.text("retrieve").pooled)[None]
    guesses = whole.head("pair")(sums).squeeze(-1).softmax(1)
    torch.testing.assert_close(guesses, guesses[:1].expand_as(guesses))


def test_texts_of_nothing_count_nothing() -> None:
    batch = tiny.batch([["a"], ["b"]])
    assert tiny.objective({"kind": "pair_association"}).count(replace(batch, texts={})) == 0
