"""Whatever stands in `tasks` makes rows that can be learned from, and judges a model by finite figures."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests import tiny
from tests.conformance.checks import settings
from tuwen.core.batch import PICTURE, Row
from tuwen.core.rooms import build_part, names
from tuwen.core.sample import Sample
from tuwen.models.predictor import Predictor
from tuwen.report.examples import Examples
from tuwen.tasks import Task, TaskContext

COLOURS = ("red", "green", "blue", "yellow")


def tagged(samples: list[Sample]) -> list[Sample]:
    """Scenes with the colours that their texts name as tags."""
    said = [" ".join(caption.text for caption in sample.captions) for sample in samples]
    return [
        replace(sample, tags=tuple(colour for colour in COLOURS if colour in text))
        for sample, text in zip(samples, said, strict=True)
    ]


SAMPLES = tagged(tiny.scenes()["train"])
LABELS = tuple(sorted({sample.label for sample in SAMPLES if sample.label is not None}))
ANSWERS = tuple(sorted({question.answer for sample in SAMPLES for question in sample.questions}))


@pytest.fixture(params=names("tasks"))
def task(request: pytest.FixtureRequest) -> Task:
    return build_part(
        "tasks", settings("tasks", request.param), TaskContext(tiny.tokenizer(), LABELS, ANSWERS, tags=COLOURS)
    )


@pytest.fixture
def predictor() -> Predictor:
    heads = {
        "label": {"reads": "image", "classes": "labels"},
        "answer": {"reads": "fused", "classes": "answers"},
        "tags": {"reads": "image", "classes": len(COLOURS)},
        "match": {"reads": "fused", "classes": 2},
        "pair": {"reads": "fused", "classes": 1, "hidden": 8},
        "mask": {"reads": "text", "classes": "vocabulary"},
    }
    return tiny.predictor(tiny.model(labels=len(LABELS), answers=len(ANSWERS), heads=heads))


def rows(task: Task, seed: int = 0) -> Iterator[Row]:
    rng = np.random.default_rng(seed)
    for sample in SAMPLES:
        yield from task.encode(sample, rng)


def test_rows_are_token_ids_and_no_loss_falls_on_what_nothing_comes_before(task: Task) -> None:
    for row in rows(task):
        assert row.ids
        assert all(0 <= number < len(tiny.tokenizer()) for number in row.ids if number != PICTURE)
        assert len(row.ids) <= 2 * tiny.tokenizer().max_length
        if row.loss_mask is not None:
            assert len(row.loss_mask) == len(row.ids)
            assert any(row.loss_mask)
            assert not row.loss_mask[0]


def test_the_same_generator_gives_the_same_rows(task: Task) -> None:
    assert list(rows(task, seed=3)) == list(rows(task, seed=3))


def test_a_sample_without_anything_gives_no_row(task: Task) -> None:
    empty = Sample("nothing", image=SAMPLES[0].image)
    assert not task.finds(empty)
    assert task.encode(empty, np.random.default_rng(0)) == []
    assert task.needs


def test_it_finds_something_in_a_scene(task: Task) -> None:
    found = [sample for sample in SAMPLES if task.finds(sample)]
    assert found
    assert all(task.encode(sample, np.random.default_rng(0)) == [] for sample in SAMPLES if sample not in found)


def test_figures_are_finite_and_come_with_a_count(task: Task, predictor: Predictor) -> None:
    unseen = tagged(tiny.scenes()["test"])
    page = Examples().split("tasks")
    figures = task.evaluate(predictor, unseen, SAMPLES, page)
    assert figures
    assert all(isinstance(value, int | float) and math.isfinite(value) and value >= 0 for value in figures.values())
    assert {"count", "candidates"} & figures.keys()
    assert any("floor" in name or "chance" in name for name in figures)


def test_samples_that_have_nothing_give_no_figures(task: Task, predictor: Predictor) -> None:
    page = Examples().split("tasks")
    assert task.evaluate(predictor, [], SAMPLES, page) == {}
    assert task.evaluate(predictor, [Sample("nothing", image=SAMPLES[0].image)], SAMPLES, page) == {}
    assert task.evaluate(predictor, [Sample("text alone", label="x")], SAMPLES, page) == {}
