"""`foils` against a plain loop over choices, and on numbers by hand."""

import math
from dataclasses import replace

import pytest
import torch

from tests import tiny
from tests.objectives.given import Given, assert_same, normal, texts_of
from tuwen.core.batch import Batch

WORDS = ["a", "b", "c", "d", "e", "f", "g"]
OWNERS = [0, 0, 0, 1, 1, 2, 2]
CLASSES = torch.tensor([0, 1, 2, 0, 1, 0, 1])


def given() -> Given:
    text = replace(texts_of(WORDS, OWNERS), target=CLASSES)
    return Given(text, normal(7, 4), normal(3, 4, seed=1))


def test_it_is_the_cross_entropy_of_each_choice() -> None:
    forward = given()
    wanted = torch.zeros((), dtype=torch.float64)
    for picture, rows in ((0, [0, 1, 2]), (1, [3, 4]), (2, [5, 6])):
        logits = torch.stack([forward.scale * (forward.texts[row] * forward.images[picture]).sum() for row in rows])
        wanted = wanted - (logits[0].exp() / logits.exp().sum()).log()
    found = tiny.objective({"kind": "foils"})(forward)
    assert float(found.count) == 3
    assert_same(found.sum, wanted, forward.leaves)


def test_by_hand() -> None:
    """The true text at a cosine of 1 and its foil at 0, with a scale of 2; then the other way round."""
    text = replace(texts_of(["a", "b", "c", "d"], [0, 0, 1, 1]), target=torch.tensor([0, 1, 0, 1]))
    forward = Given(
        text,
        torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]),
        torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        torch.tensor(2.0),
    )
    loss = tiny.objective({"kind": "foils"})(forward)
    assert float(loss.sum) == pytest.approx(math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2)))
    assert float(loss.parts["accuracy"]) == 0.5


def test_each_true_text_is_an_item() -> None:
    objective = tiny.objective({"kind": "foils"})
    assert objective.count(Batch(texts={"foils": given().text})) == 3
    assert objective.count(Batch(texts={"other": given().text})) == 0
