"""Labels, by a head with and without the picture's text, and from texts that describe them."""

import numpy as np
import pytest

from tests import tiny
from tests.tasks.oracle import Oracle, context, scene, text_of
from tuwen.core.errors import RecipeError
from tuwen.core.rooms import build_part
from tuwen.core.sample import Caption, Sample
from tuwen.prep.batches import IGNORE
from tuwen.report.examples import Confusion, SplitExamples, Tally
from tuwen.tasks import TaskContext
from tuwen.tasks.classify import ClassifyTask

LABELS = ("cat", "dog")
CAT = scene(1, label="cat", captions=(Caption("it purrs", "en"),))
DOG = scene(2, label="dog", captions=(Caption("it barks", "en"),))
UNKNOWN = scene(3, label="cow")
NO_LABEL = scene(4, captions=(Caption("what is it", "en"),))
SAMPLES = [CAT, DOG, UNKNOWN, NO_LABEL, Sample("no picture", label="cat")]


def task(of: TaskContext | None = None, **settings: object) -> ClassifyTask:
    found = build_part("tasks", {"kind": "classify", **settings}, of or context(labels=LABELS))
    assert isinstance(found, ClassifyTask)
    return found


def test_from_texts_nothing_is_learned() -> None:
    assert task().encode(CAT, np.random.default_rng(0)) == []
    assert task().target(CAT) is None


def test_by_a_head_the_class_is_the_pictures() -> None:
    by_head = task(by="head")
    assert [by_head.target(sample) for sample in (CAT, DOG, UNKNOWN, NO_LABEL)] == [0, 1, IGNORE, IGNORE]
    assert by_head.encode(CAT, np.random.default_rng(0)) == []


def test_with_text_the_row_is_read_and_carries_the_class() -> None:
    both = task(by="head", with_text=True)
    (row,) = both.encode(CAT, np.random.default_rng(0))
    assert (text_of(row.ids), row.target, row.loss_mask) == ("<bos> it purrs<eos>", 0, None)
    (row,) = both.encode(NO_LABEL, np.random.default_rng(0))
    assert row.target == IGNORE
    assert both.encode(UNKNOWN, np.random.default_rng(0)) == [], "there is no text to read"


@pytest.mark.parametrize("with_text", [False, True])
def test_figures_of_a_head_by_hand(with_text: bool) -> None:
    """The cat is found, the dog is called a cat, the cow could not be known."""
    asked = [("it purrs", 1), ("it barks", 2), ("", 3)] if with_text else [(None, 1), (None, 2), (None, 3)]
    page = SplitExamples()
    figures = task(by="head", with_text=with_text).evaluate(Oracle(classes=dict.fromkeys(asked, 0)), SAMPLES, [], page)
    assert figures["accuracy"] == pytest.approx(1 / 3)
    assert figures["floor"] == pytest.approx(1 / 2), "chance among two labels is more than the majority"
    assert ("blind_floor" in figures) == with_text, "without a text all blank pictures are alike"
    assert figures["count"] == 3
    assert figures["macro_f1"] == pytest.approx(0.5 / 3)
    assert page.confusion == Confusion(("cat", "cow", "dog"), ((1, 0, 0), (1, 0, 0), (1, 0, 0)))
    assert [(example.prediction, example.label, example.right) for example in page.classes] == [
        ("cat", "dog", False),
        ("cat", "cow", False),
        ("cat", "cat", True),
    ]


def test_what_the_texts_give_away_is_a_floor() -> None:
    """The head reads the cat's and the dog's texts, and looks at no picture."""
    reads = {("it purrs", number): 0 for number in range(256)} | {("it barks", number): 1 for number in range(256)}
    figures = task(by="head", with_text=True).evaluate(Oracle(classes=reads), SAMPLES, [], SplitExamples())
    assert figures["accuracy"] == figures["blind_floor"] == figures["floor"] == pytest.approx(2 / 3)


def test_figures_from_texts_are_the_mean_over_the_languages() -> None:
    texts = {"en": {"cat": "a cat", "dog": "a dog"}, "zh": {"cat": "猫", "dog": "狗"}}
    of = TaskContext(tiny.tokenizer(), LABELS, (), texts)
    vectors = {
        1: (1.0, 0),
        2: (0.0, 1),
        3: (1.0, 0),
        "a cat": (1.0, 0),
        "a dog": (0.0, 1),
        "猫": (0.0, 1),
        "狗": (1.0, 0),
    }
    page = SplitExamples()
    figures = task(of).evaluate(Oracle(vectors=vectors), SAMPLES, [], page)
    assert "accuracy" not in figures
    assert figures["zero_shot_accuracy"] == pytest.approx((2 / 3 + 0) / 2)
    assert figures["count"] == 3
    assert page.tallies["classify_by_language"] == {"en": Tally(2, 3), "zh": Tally(0, 3)}


def test_without_texts_from_the_data_a_sentence_is_made_of_each_label() -> None:
    assert task().class_texts["en"] == {"cat": "a picture of cat", "dog": "a picture of dog"}
    assert task(templates={"de": "ein Bild: {}"}).class_texts == {
        "de": {"cat": "ein Bild: cat", "dog": "ein Bild: dog"}
    }


def test_the_label_stands_where_the_braces_are_and_nothing_else_is_read() -> None:
    assert task(templates={"en": "{} {is} a {}"}).class_texts["en"]["cat"] == "cat {is} a cat"
    for template in ("a photo", "a photo of a {label}"):
        with pytest.raises(RecipeError, match=r"templates: en: write \{\} where the label shall stand in 'a photo"):
            task(templates={"en": template})


def test_a_picture_is_asked_with_its_text_where_the_head_reads_both() -> None:
    shown = [sample.image for sample in (CAT, DOG) if sample.image is not None]
    oracle = Oracle(classes={("it purrs", 1): 0, ("it barks", 2): 1})
    both, alone = task(by="head", with_text=True), task(by="head")
    assert both.predict(oracle, shown, own_texts=["it purrs", "it barks"]) == ["cat", "dog"]
    with pytest.raises(RecipeError, match=r"together with its text: give that too, with `texts=` or --text"):
        both.predict(oracle, shown)
    for refused in (alone, task()):
        with pytest.raises(RecipeError, match="by the picture alone: leave its text out"):
            refused.predict(oracle, shown, own_texts=["it purrs", "it barks"])
    assert alone.predict(oracle, []) == task().predict(oracle, []) == []


def test_without_a_label_in_training_there_is_nothing_to_choose_among() -> None:
    assert task(context(labels=())).evaluate(Oracle(), SAMPLES, [], SplitExamples()) == {}


def test_any_texts_can_be_chosen_among() -> None:
    vectors = {1: (1.0, 0), 2: (0.0, 1), "it purrs": (1.0, 0), "it barks": (0.0, 1)}
    shown = [sample.image for sample in (DOG, CAT) if sample.image is not None]
    for by in ("texts", "head"):
        found = task(by=by).predict(Oracle(vectors=vectors), shown, {"purring": "it purrs", "barking": "it barks"})
        assert found == ["barking", "purring"]
