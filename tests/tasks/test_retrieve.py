"""Retrieval with several captions a picture, by hand."""

import numpy as np
import pytest

from tests import tiny
from tests.tasks.oracle import Oracle, context, scene, text_of
from tuwen.core.rooms import build_part
from tuwen.core.sample import Caption, Sample
from tuwen.report.examples import SplitExamples, Tally
from tuwen.tasks.retrieve import RetrieveTask


def task(**settings: object) -> RetrieveTask:
    found = build_part("tasks", {"kind": "retrieve", **settings}, context())
    assert isinstance(found, RetrieveTask)
    return found


def captions(*texts: str, language: str = "en") -> tuple[Caption, ...]:
    return tuple(Caption(text, language) for text in texts)


def test_any_text_of_a_sample_is_read() -> None:
    sample = scene(1, captions=(Caption("a", "en", True), Caption("b", "en"), Caption("丙", "zh")))
    rows = task(texts=3).encode(sample, np.random.default_rng(0))
    assert sorted(text_of(row.ids) for row in rows) == ["<bos> a<eos>", "<bos> b<eos>", "<bos> 丙<eos>"]
    assert all(row.loss_mask is None and row.target is None for row in rows)
    assert len(task(texts=5).encode(sample, np.random.default_rng(0))) == 5


SAMPLES = [
    scene(1, captions=captions("a", "also a")),
    scene(2, captions=captions("b")),
    scene(3, captions=captions("c")),
    scene(4, captions=captions("b")),
    Sample("no picture", captions=captions("d")),
    Sample("no text", scene(5).image),
]
VECTORS = {
    1: (1.0, 0.0, 0.0),
    2: (0.0, 1.0, 0.0),
    3: (0.0, 0.0, 1.0),
    "a": (1.0, 0.0, 0.0),
    "also a": (0.0, 0.8, 0.6),
    "b": (0.0, 1.0, 0.0),
    "c": (0.6, 0.79, 0.1),
}


def test_figures_by_hand() -> None:
    """Of two pictures with the same text the first is searched. "also a" and "c" find wrong pictures first."""
    page = SplitExamples()
    figures = task().evaluate(Oracle(vectors=VECTORS), SAMPLES, [], page)
    assert figures["candidates"] == 3
    assert figures["text_to_image_r1"] == pytest.approx(2 / 4)
    assert figures["image_to_text_r1"] == pytest.approx(2 / 3), "either of its two texts is right for the first"
    assert figures["text_to_image_r5"] == figures["image_to_text_r5"] == 1
    assert page.tallies["retrieve_by_language"] == {"en": Tally(2, 4)}
    assert {example.text: example.rank for example in page.found_pictures} == {"a": 1, "b": 1, "also a": 3, "c": 3}
    assert [example.rank for example in page.found_texts] == [2, 1, 1]
    wrong = page.found_texts[0]
    assert wrong.texts[0] == "also a"
    assert wrong.correct[:2] == (False, True)


def test_each_language_is_searched_by_itself() -> None:
    samples = [
        scene(1, captions=captions("a") + captions("甲", language="zh")),
        scene(2, captions=captions("b") + captions("乙", language="zh")),
        scene(3, captions=captions("c", language="fr")),
    ]
    vectors = {**VECTORS, "甲": VECTORS["b"], "乙": VECTORS["a"]}
    page = SplitExamples()
    figures = task().evaluate(Oracle(vectors=vectors), samples, [], page)
    assert page.tallies["retrieve_by_language"] == {"en": Tally(2, 2), "zh": Tally(0, 2)}
    assert figures["text_to_image_r1"] == pytest.approx(0.5)
    assert figures["candidates"] == 2


def test_no_more_candidates_than_asked_for() -> None:
    samples = [scene(number, captions=captions(f"text {number}")) for number in range(6)]
    vectors = {key: tuple(np.eye(6)[number]) for number in range(6) for key in (number, f"text {number}")}
    figures = task(candidates=4).evaluate(Oracle(vectors=vectors), samples, [], SplitExamples())
    assert figures["candidates"] == 4
    assert figures["text_to_image_r1"] == figures["image_to_text_r1"] == 1


def test_the_page_counts_ranks_as_the_figures_do() -> None:
    """Where all are alike, a wrong one stands before the right one."""
    samples = [scene(number, captions=captions(f"text {number}")) for number in range(4)]
    vectors = {key: (1.0, 0.0) for number in range(4) for key in (number, f"text {number}")}
    page = SplitExamples()
    figures = task().evaluate(Oracle(vectors=vectors), samples, [], page)
    assert figures["text_to_image_median_rank"] == 4
    assert {example.rank for example in [*page.found_pictures, *page.found_texts]} == {4}


def test_one_text_is_no_search() -> None:
    assert task().evaluate(Oracle(vectors=VECTORS), [SAMPLES[1], SAMPLES[3]], [], SplitExamples()) == {}


def test_a_random_model_finds_what_chance_finds() -> None:
    samples = tiny.scenes()["test"]
    figures = task().evaluate(tiny.predictor(tiny.model()), samples, [], SplitExamples())
    assert 0 <= figures["text_to_image_r1"] <= 1
    assert figures["candidates"] <= len(samples)
    assert figures["chance_floor"] >= 1 / len(samples)
