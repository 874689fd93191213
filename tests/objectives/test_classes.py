"""Sigmoids, many labels and rare classes against plain loops in float64, values and gradients."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.objectives.given import gradients
from tuwen.core.batch import Batch
from tuwen.core.errors import DataError, RecipeError
from tuwen.core.rooms import build_part
from tuwen.models.model import VisionLanguageModel
from tuwen.objectives import ObjectiveContext
from tuwen.objectives._class_weights import class_weights
from tuwen.prep.batches import IGNORE

HEADS = {
    "label": {"reads": "image", "classes": "labels"},
    "five": {"reads": "image", "classes": 4},
    "tags": {"reads": "image", "classes": "tags"},
    "both": {"reads": "fused", "classes": "tags"},
}
COUNTS = (100, 10, 0, 1)


def objective(kind: str, counts: Sequence[int] | None = COUNTS, **settings: Any) -> Any:
    known = {} if counts is None else {"labels": tuple(counts)}
    return build_part("objectives", {"kind": kind, **settings}, ObjectiveContext(400, 4, (0, 1, 2, 3, 4), known))


def assert_same_everywhere(found: Tensor, wanted: Tensor, model: VisionLanguageModel) -> None:
    assert found.dtype == wanted.dtype == torch.float64
    torch.testing.assert_close(found, wanted)
    weights = list(model.parameters())
    for ours, theirs in zip(gradients(found, weights), gradients(wanted, weights), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            torch.testing.assert_close(ours, theirs)


def yes_or_no(logit: Tensor, truth: float) -> Tensor:
    """`-y log σ(x) - (1 - y) log(1 - σ(x))`."""
    p = 1 / (1 + (-logit).exp())
    return -truth * p.log() - (1 - truth) * (1 - p).log()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_each_class_against_all_others(smoothing: float) -> None:
    model = tiny.model(heads=HEADS).double()
    batch = tiny.batch([[], [], [], []], target=[3, None, 0, 3])
    forward = model(batch)
    logits = forward.logits("label")
    wanted = torch.stack(
        [
            torch.stack(
                [yes_or_no(logits[n, c], (c == target) * (1 - smoothing) + smoothing / 2) for c in range(4)]
            ).mean()
            for n, target in [(0, 3), (2, 0), (3, 3)]
        ]
    ).sum()
    asked = objective("classification", by="sigmoid", label_smoothing=smoothing)
    loss = asked(model(batch))
    assert asked.count(batch) == float(loss.count) == 3
    assert_same_everywhere(loss.sum, wanted, model)


def tagged() -> Batch:
    batch = tiny.batch([["a", "b"], ["c", "d"], ["e", "f"]])
    return replace(batch, tags=torch.tensor([[1, 0, 1], [IGNORE] * 3, [0, IGNORE, 1]]))


def test_many_labels_of_a_picture() -> None:
    model, batch = tiny.model(heads=HEADS).double(), tagged()
    forward = model(batch)
    logits = forward.logits("tags")
    known = [(0, 0, 1), (0, 1, 0), (0, 2, 1), (2, 0, 0), (2, 2, 1)]
    wanted = torch.stack([yes_or_no(logits[p, c], truth) for p, c, truth in known]).sum()
    asked = objective("multilabel")
    loss = asked(model(batch))
    assert asked.count(batch) == float(loss.count) == 5
    assert_same_everywhere(loss.sum, wanted, model)
    right = [(logits[p, c].item() > 0) == bool(truth) for p, c, truth in known]
    assert loss.parts["accuracy"].item() == pytest.approx(sum(right) / 5)


def test_many_labels_of_a_picture_with_its_text() -> None:
    model, batch = tiny.model(heads=HEADS).double(), tagged()
    forward = model(batch)
    logits = forward.logits("both", "retrieve")
    known = [(0, 0, 1), (0, 1, 0), (0, 2, 1), (2, 0, 0), (2, 2, 1)]
    wanted = torch.stack([yes_or_no(logits[2 * p + k, c], truth) for p, c, truth in known for k in (0, 1)]).sum()
    asked = objective("multilabel", head="both", stream="retrieve")
    loss = asked(model(batch))
    assert asked.count(batch) == float(loss.count) == 10
    assert_same_everywhere(loss.sum, wanted, model)


def test_a_batch_without_tags_counts_nothing() -> None:
    batch = tiny.batch([["a"], ["b"]])
    assert objective("multilabel").count(batch) == 0
    assert objective("multilabel", stream="vqa").count(tagged()) == 0
    with pytest.raises(DataError, match="the tags of no picture of this batch are known"):
        objective("multilabel")(tiny.model(heads=HEADS)(batch))


@pytest.mark.parametrize("by", ["softmax", "sigmoid"])
@pytest.mark.parametrize("scheme", ["inverse", "effective"])
def test_rare_classes_count_more(scheme: str, by: str) -> None:
    model = tiny.model(heads=HEADS).double()
    batch = tiny.batch([[], [], []], target=[0, 3, 1])
    number = {"inverse": lambda n: n, "effective": lambda n: (1 - 0.9**n) / (1 - 0.9)}[scheme]
    raw = [0.0 if n == 0 else 1 / number(n) for n in COUNTS]
    size = sum(COUNTS) / sum(n * w for n, w in zip(COUNTS, raw, strict=True))
    forward = model(batch)
    wanted = torch.stack(
        [
            size * raw[target] * objective("classification", by=by)(model(replace(batch, target=only))).sum
            for target, only in [(t, torch.where(torch.tensor([0, 3, 1]) == t, t, IGNORE)) for t in (0, 3, 1)]
        ]
    ).sum()
    loss = objective("classification", by=by, class_weights=scheme, beta=0.9)(forward)
    assert float(loss.count) == 3
    torch.testing.assert_close(loss.sum, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scheme", ["none", "inverse", "effective"])
def test_weights_leave_the_mean_over_the_training_data_as_it_is(scheme: Any) -> None:
    weights = class_weights(COUNTS, scheme, 0.99)
    assert (weights * torch.tensor(COUNTS)).sum().item() == pytest.approx(sum(COUNTS))
    assert weights[2] >= weights[3], "one that nobody counted is rare, and learned all the same"
    assert scheme == "none" or weights[3] > weights[1] > weights[0]
    if scheme == "inverse":
        assert (weights * torch.tensor(COUNTS))[[0, 1, 3]].tolist() == pytest.approx([37.0] * 3)


def test_effective_numbers_lie_between_none_and_inverse() -> None:
    inverse, none = class_weights(COUNTS, "inverse", 0.0), class_weights(COUNTS, "none", 0.0)
    torch.testing.assert_close(class_weights(COUNTS, "effective", 0.0), none)
    torch.testing.assert_close(class_weights(COUNTS, "effective", 1 - 1e-9), inverse, rtol=1e-3, atol=1e-3)


def test_weights_need_counted_classes() -> None:
    batch = tiny.batch([[], []], target=[0, 1])
    model = tiny.model(heads=HEADS)
    with pytest.raises(RecipeError, match="the head 'five' is over 4; use a head over labels or answers"):
        objective("classification", head="five", class_weights="inverse")(model(batch))
