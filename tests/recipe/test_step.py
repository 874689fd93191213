"""What is trained: terms by name, and the same gradient however a batch is cut."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from tests import tiny
from tuwen.core.batch import Batch
from tuwen.core.errors import RecipeError
from tuwen.core.rooms import build_part
from tuwen.prep.batches import Encoded
from tuwen.recipe.encoding import Encoder
from tuwen.recipe.step import Step
from tuwen.tasks import TaskContext
from tuwen.train.config import TrainConfig
from tuwen.train.learner import Learner
from tuwen.train.processes import Team

SCENES = tiny.scenes()["train"]
ANSWERS = tuple(sorted({question.answer for sample in SCENES for question in sample.questions}))
LABELS = tuple(sorted({sample.label for sample in SCENES if sample.label is not None}))
HEADS = {
    "label": {"reads": "image", "classes": "labels"},
    "answer": {"reads": "fused", "classes": "answers"},
    "match": {"reads": "fused", "classes": 2},
}
ADDITIVE = {
    "captioning": {"kind": "captioning", "label_smoothing": 0.1},
    "joint": {
        "kind": "joint",
        "weight": 0.7,
        "members": {
            "picture": {"kind": "classification"},
            "answer": {"kind": "classification", "head": "answer", "stream": "asked"},
        },
        "lambdas": {"answer": 0.5},
    },
}
"""Objectives whose items know nothing of each other."""


def encoder() -> Encoder:
    context = TaskContext(tiny.tokenizer(), LABELS, ANSWERS)
    specs = {
        "caption": {"kind": "caption", "texts": 2},
        "asked": {"kind": "vqa", "by": "head", "questions": 2},
        "retrieve": {"kind": "retrieve"},
        "classify": {"kind": "classify", "by": "head"},
    }
    tasks = {name: build_part("tasks", spec, context) for name, spec in specs.items()}
    return Encoder(tasks, tiny.IMAGES, tiny.tokenizer().pad)


def encoded() -> list[Encoded]:
    encode = encoder()
    return [encode(sample, np.random.default_rng(number)) for number, sample in enumerate(SCENES)]


def step(objectives: dict[str, dict[str, Any]] = ADDITIVE) -> Step:
    model = tiny.model(labels=len(LABELS), answers=len(ANSWERS), heads=HEADS)
    return Step(model.train(), {name: tiny.objective(spec) for name, spec in objectives.items()})


def gradients(parts: Sequence[Batch]) -> tuple[dict[str, torch.Tensor | None], float]:
    """As training computes them from the batches of one step, and the total."""
    module = step()
    learner = Learner(module, TrainConfig(steps=1), Team(Accelerator(cpu=True)), "fp32")
    totals = {name: sum(module.counts(part)[name] for part in parts) for name in module.weights}
    losses = learner.gradients(parts, totals)
    total = sum(
        module.weights[name] * loss.sum.item() / max(1, totals[name]) for each in losses for name, loss in each.items()
    )
    return {name: parameter.grad for name, parameter in module.named_parameters()}, total


@pytest.mark.parametrize("cuts", [[6, 6], [1, 11], [4, 4, 4], [1] * 12])
def test_accumulation_is_exact_whatever_the_batches_hold(cuts: list[int]) -> None:
    samples, collate = encoded(), encoder().collate
    ends = np.cumsum([0, *cuts]).tolist()
    parts = [collate(samples[start:end]) for start, end in pairwise(ends)]
    if len(cuts) == 12:
        module = step()
        assert any(module.counts(part)["joint/picture"] == 0 for part in parts), "some have nothing for a term"
    (whole, total), (cut, same) = gradients([collate(samples)]), gradients(parts)
    assert same == pytest.approx(total, rel=1e-5)
    for name, wanted in whole.items():
        found = cut[name]
        assert (wanted is None) == (found is None)
        if wanted is not None and found is not None:
            torch.testing.assert_close(found, wanted, atol=2e-6, rtol=1e-4)


def test_terms_that_find_nothing_sit_out() -> None:
    module = step()
    unlabelled = [each for each, sample in zip(encoded(), SCENES, strict=True) if sample.label is None]
    batch = encoder().collate(unlabelled)
    assert module.counts(batch)["joint/picture"] == 0
    assert set(module(batch)) == {"captioning", "joint/answer"}
    assert module.counts(Batch()) == {"captioning": 0, "joint/picture": 0, "joint/answer": 0}
    assert module(Batch()) == {}


def test_counts_are_those_of_the_losses() -> None:
    module = step({**ADDITIVE, "contrastive": {"kind": "contrastive"}, "matching": {"kind": "matching"}})
    batch = encoder().collate(encoded())
    assert {name: float(loss.count) for name, loss in module(batch).items()} == module.counts(batch)
    assert module.weights == {
        "captioning": 1.0,
        "joint/picture": 0.7,
        "joint/answer": pytest.approx(1.05),
        "contrastive": 1.0,
        "matching": 1.0,
    }


def test_a_head_that_an_objective_needs_must_be_there() -> None:
    with pytest.raises(
        RecipeError, match=r"objectives.captured: .* such as `mask: \{reads: text, classes: vocabulary\}`"
    ):
        step({"captured": {"kind": "masked_lm"}})
