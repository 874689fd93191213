"""NT-Xent against a loop over all pairs of views, in float64, values and gradients."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.objectives.given import assert_same
from tuwen.core.batch import Batch
from tuwen.core.errors import DataError
from tuwen.models.model import VisionLanguageModel

HEADS = {"view": {"reads": "image", "classes": 6, "hidden": 8}}


def seen_twice() -> Batch:
    batch = tiny.batch([[], [], [], []])
    assert batch.pixels is not None
    return replace(batch, views=batch.pixels.flip(2))


def by_hand(model: VisionLanguageModel, batch: Batch, temperature: float) -> Tensor:
    """SimCLR's algorithm 1, its two views of picture k at 2k and 2k + 1."""
    assert batch.views is not None
    head = model.head("view")
    first = head(model(batch).image.pooled)
    second = head(model(replace(batch, pixels=batch.views)).image.pooled)
    z = [view for pair in zip(first, second, strict=True) for view in pair]

    def similar(i: int, j: int) -> Tensor:
        return z[i] @ z[j] / (z[i].norm() * z[j].norm()) / temperature

    def loss(i: int, j: int) -> Tensor:
        others = torch.stack([similar(i, k).exp() for k in range(len(z)) if k != i])
        return -(similar(i, j).exp() / others.sum()).log()

    pictures = len(z) // 2
    return torch.stack([loss(2 * k, 2 * k + 1) + loss(2 * k + 1, 2 * k) for k in range(pictures)]).sum() / 2


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_it_is_the_loop(temperature: float) -> None:
    model, batch = tiny.model(heads=HEADS).double(), seen_twice()
    objective = tiny.objective({"kind": "two_view", "temperature": temperature})
    loss, wanted = objective(model(batch)), by_hand(model, batch, temperature)
    assert loss.sum.dtype == torch.float64
    assert objective.count(batch) == float(loss.count) == 4
    assert_same(loss.sum, wanted, list(model.parameters()))


def test_the_same_picture_twice_is_found() -> None:
    model, batch = tiny.model(heads=HEADS), seen_twice()
    same = tiny.objective({"kind": "two_view"})(model(replace(batch, views=batch.pixels)))
    assert same.parts["found"].item() == 1


def test_it_needs_a_second_view_and_another_picture() -> None:
    objective, batch = tiny.objective({"kind": "two_view"}), seen_twice()
    assert batch.pixels is not None
    assert objective.count(replace(batch, views=None)) == 0
    assert objective.count(replace(batch, pixels=batch.pixels[:1], views=batch.pixels[:1])) == 0
    with pytest.raises(DataError, match=r"each picture only once: say how to augment it with image\.view"):
        objective(tiny.model(heads=HEADS)(replace(batch, views=None)))
