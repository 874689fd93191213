"""The true text and its foils, by hand."""

import numpy as np
import pytest

from tests.tasks.oracle import Oracle, context, scene, text_of
from tuwen.core.rooms import build_part
from tuwen.core.sample import Choice, Sample
from tuwen.report.examples import SplitExamples, Tally
from tuwen.tasks.foils import FoilsTask

SAMPLES = [
    scene(1, choices=(Choice("a", ("b", "c"), "en"), Choice("甲", ("乙",), "zh"))),
    scene(2, choices=(Choice("b", ("a",), "en"), Choice("nothing beside it", (), "en"))),
    Sample("no picture", choices=(Choice("a", ("b",), "en"),)),
]
VECTORS = {
    1: (1.0, 0.0),
    2: (0.0, 1.0),
    "a": (1.0, 0.0),
    "b": (0.6, 0.8),
    "c": (0.8, 0.6),
    "甲": (0.0, 1.0),
    "乙": (0.6, 0.8),
}


def task() -> FoilsTask:
    found = build_part("tasks", {"kind": "foils"}, context())
    assert isinstance(found, FoilsTask)
    return found


def test_the_true_text_has_to_be_the_nearest() -> None:
    page = SplitExamples()
    figures = task().evaluate(Oracle(vectors=VECTORS), SAMPLES, [], page)
    assert figures == {
        "accuracy": pytest.approx(2 / 3),
        "floor": pytest.approx((1 / 3 + 1 / 2 + 1 / 2) / 3),
        "count": 3,
    }
    assert page.tallies["foils_by_language"] == {"en": Tally(2, 2), "zh": Tally(0, 1)}


def test_two_texts_alike_for_the_model_are_not_told_apart() -> None:
    same = dict.fromkeys(VECTORS, (1.0, 0.0))
    assert task().evaluate(Oracle(vectors=same), SAMPLES, [], SplitExamples())["accuracy"] == 0


def test_a_choice_begins_with_the_true_text() -> None:
    rng, seen = np.random.default_rng(0), set()
    for _ in range(20):
        rows = task().encode(SAMPLES[0], rng)
        seen.add(tuple((text_of(row.ids), row.target) for row in rows))
    assert seen == {
        (("<bos> a<eos>", 0), ("<bos> b<eos>", 1), ("<bos> c<eos>", 2)),
        (("<bos> 甲<eos>", 0), ("<bos> 乙<eos>", 1)),
    }


def test_a_text_without_a_foil_is_no_choice() -> None:
    alone = scene(3, choices=(Choice("a", ()),))
    assert not task().finds(alone)
    assert task().encode(alone, np.random.default_rng(0)) == []
    assert task().evaluate(Oracle(vectors=VECTORS), [alone], [], SplitExamples()) == {}
