"""Which text belongs to a picture, by hand."""

import numpy as np
import pytest

from tests import tiny
from tests.tasks.oracle import Oracle, context, scene, text_of
from tuwen.core.rooms import build_part
from tuwen.core.sample import Caption, Sample
from tuwen.models.predictor import Predictor
from tuwen.report.examples import SplitExamples, Tally
from tuwen.tasks.match import MatchTask

SAMPLES = [
    scene(1, captions=(Caption("a", "en"), Caption("甲", "zh"))),
    scene(2, captions=(Caption("b", "en"),)),
    scene(3, captions=(Caption("c", "en"), Caption("b", "en"))),
    Sample("no picture", captions=(Caption("d", "en"),)),
]


def task(**settings: object) -> MatchTask:
    found = build_part("tasks", {"kind": "match", **settings}, context())
    assert isinstance(found, MatchTask)
    return found


class Scores(Oracle):
    """A head of two outputs: where the text is the picture's own by `classes`, the second is higher."""

    def logits(self, head: str, pictures: object, texts: object = None) -> object:  # type: ignore[override]
        return super().logits(head, pictures, texts)[:, :2]  # type: ignore[arg-type]


def test_its_own_text_has_to_score_higher_than_those_of_others() -> None:
    """Asked: 1 of a, b, c; 2 of b, c, a; 3 of c, a (b is also its own). 2 is taken in by c."""
    page = SplitExamples()
    right = {("a", 1): 1, ("b", 2): 1, ("c", 2): 1, ("c", 3): 1}
    figures = task(candidates=3).evaluate(Scores(classes=right), SAMPLES, [], page)
    assert figures["recall_at_1"] == pytest.approx(2 / 3)
    assert figures["better_than_another"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert figures["recall_at_1_chance_floor"] == pytest.approx((1 / 3 + 1 / 3 + 1 / 2) / 3)
    assert figures["better_than_another_chance_floor"] == 1 / 2
    assert (figures["candidates"], figures["count"]) == (3, 3)
    assert page.tallies["match_by_language"] == {"en": Tally(2, 3)}


def test_rows_are_captions() -> None:
    rows = task(texts=2).encode(SAMPLES[0], np.random.default_rng(0))
    assert sorted(text_of(row.ids) for row in rows) == ["<bos> a<eos>", "<bos> 甲<eos>"]


def test_one_score_and_two_scores_mean_the_same() -> None:
    heads = {
        "one": {"reads": "fused", "classes": 1, "hidden": 8},
        "two": {"reads": "fused", "classes": 2},
    }
    predictor: Predictor = tiny.predictor(tiny.model(heads=heads))
    pictures = [sample.image for sample in SAMPLES[:3]]
    texts = ["a", "b", "c"]
    one = predictor.logits("one", pictures, texts)  # type: ignore[arg-type]
    two = predictor.logits("two", pictures, texts)  # type: ignore[arg-type]
    assert task(head="one").scores(predictor, pictures, texts) == pytest.approx(one[:, 0].numpy())  # type: ignore[arg-type]
    wanted = (two[:, 1] - two[:, 0]).numpy()
    assert task(head="two").scores(predictor, pictures, texts) == pytest.approx(wanted)  # type: ignore[arg-type]


def test_nothing_to_ask_gives_no_figures() -> None:
    assert task().evaluate(Scores(), SAMPLES[:1], [], SplitExamples()) == {}
