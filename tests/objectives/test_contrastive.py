"""Both contrastive objectives against loops over pairs, in float64, values and gradients."""

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.objectives.given import Given, assert_same, normal, texts_of
from tuwen.core.batch import TextBatch
from tuwen.objectives._pairs import positives

CASES = {
    "one text a picture": texts_of(["a", "b", "c"], [0, 1, 2], 1),
    "several texts a picture": texts_of(["a", "b", "c", "d", "e", "f"], [0, 0, 1, 1, 2, 2], 2),
    "two pictures with the same text": texts_of(["a", "b", "a"], [0, 1, 2], 1),
    "a picture that has a text twice": texts_of(["a", "a", "b", "c", "c", "a"], [0, 0, 1, 1, 2, 2], 2),
    "a picture without a text": texts_of(["a", "b", "c", "d"], [0, 0, 0, 2]),
    "texts in any order": texts_of(["c", "a", "b"], [2, 0, 1]),
    "all texts the same": texts_of(["a", "a", "a"], [0, 1, 2], 1),
    "one pair": texts_of(["a"], [0], 1),
}


@pytest.fixture(params=CASES)
def given(request: pytest.FixtureRequest) -> Given:
    text = CASES[request.param]
    pictures = 1 if request.param == "one pair" else 3
    return Given(text, normal(len(text.ids), 4), normal(pictures, 4, seed=1))


def right_pictures(text: TextBatch, row: int) -> set[int]:
    """The pictures that have the very same text."""
    return {int(text.image[other]) for other in range(len(text.ids)) if torch.equal(text.ids[other], text.ids[row])}


def log_softmax(logits: list[Tensor], place: int) -> Tensor:
    return logits[place] - torch.stack(logits).exp().sum().log()


def mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean()


def contrastive_by_hand(given: Given) -> Tensor:
    rows, pictures = len(given.texts), sorted(set(given.text.image.tolist()))
    right = [right_pictures(given.text, row) for row in range(rows)]
    logit = [[given.scale * given.texts[r] @ given.images[p] for p in pictures] for r in range(rows)]
    find_picture = [mean([-log_softmax(logit[r], pictures.index(p)) for p in sorted(right[r])]) for r in range(rows)]
    find_text = []
    for place, p in enumerate(pictures):
        column = [logit[r][place] for r in range(rows)]
        own = [-log_softmax(column, r) for r in range(rows) if p in right[r]]
        if own:
            find_text.append(mean(own))
    return torch.stack([(loss + mean(find_text)) / 2 for loss in find_picture]).sum()


def sigmoid_by_hand(given: Given) -> Tensor:
    losses = []
    for row in range(len(given.texts)):
        right = right_pictures(given.text, row)
        for picture in set(given.text.image.tolist()):
            sign = 1 if picture in right else -1
            logit = given.scale * given.texts[row] @ given.images[picture] + given.bias
            losses.append((1 + (-sign * logit).exp()).log())
    return torch.stack(losses).sum()


@pytest.mark.parametrize("kind", ["contrastive", "sigmoid"])
def test_values_and_gradients_are_those_of_the_loop(kind: str, given: Given) -> None:
    by_hand = {"contrastive": contrastive_by_hand, "sigmoid": sigmoid_by_hand}[kind]
    loss = tiny.objective({"kind": kind})(given)
    assert float(loss.count) == len(given.text.ids)
    assert_same(loss.sum, by_hand(given), given.leaves)


def test_the_right_pictures_of_each_text() -> None:
    for text in CASES.values():
        found = positives(text, int(text.image.max()) + 1)
        assert [set(row.nonzero().flatten().tolist()) for row in found] == [
            right_pictures(text, row) for row in range(len(text.ids))
        ]


def test_where_there_is_no_wrong_pair_there_is_nothing_to_learn() -> None:
    for name in ("one pair", "all texts the same"):
        text = CASES[name]
        pictures = int(text.image.max()) + 1
        given = Given(text, torch.zeros(len(text.ids), 4), torch.zeros(pictures, 4))
        loss = tiny.objective({"kind": "contrastive"})(given)
        assert loss.mean.item() == pytest.approx(torch.tensor(float(pictures)).log().item())


def test_recall_counts_any_right_picture() -> None:
    """The first text finds its double's picture, the second its own, the third a wrong one."""
    text = texts_of(["a", "b", "a"], [0, 1, 2], 1)
    images = torch.eye(3, dtype=torch.float64)
    texts = torch.tensor([[0.0, 0, 1], [0, 1, 0], [0, 1, 0]], dtype=torch.float64)
    loss = tiny.objective({"kind": "contrastive"})(Given(text, texts, images))
    assert loss.parts["recall_at_1"].item() == pytest.approx(2 / 3)
    assert loss.parts["scale"].item() == pytest.approx(5)


def test_padding_is_no_part_of_a_text() -> None:
    """The same words are the same text, whatever longer text made the row as long as it is."""
    short = tiny.batch([["a b"], ["c"], ["a b"]]).texts["retrieve"]
    long = tiny.batch([["a b"], ["a far longer text than the others"], ["a b"]]).texts["retrieve"]
    for text in (short, long):
        assert positives(text, 3).tolist() == [[True, False, True], [False, True, False], [True, False, True]]
