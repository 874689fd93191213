"""Questions and answers, in words and by a head."""

import numpy as np
import pytest

from tests import tiny
from tests.tasks.oracle import Oracle, context, scene, text_of
from tuwen.core.rooms import build_part
from tuwen.core.sample import Phrase, Question, Sample
from tuwen.prep.batches import IGNORE
from tuwen.report.examples import SplitExamples, Tally
from tuwen.tasks import WORDS
from tuwen.tasks.vqa import VqaTask

COUNT = Question("how many?", "two", "count", "en")
COLOUR = Question("什么颜色？", "红色", "colour", "zh")
ANSWERS = ("one", "two", "红色")


def task(**settings: object) -> VqaTask:
    found = build_part("tasks", {"kind": "vqa", **settings}, context(answers=ANSWERS))
    assert isinstance(found, VqaTask)
    return found


def test_in_words_the_question_is_read_and_the_answer_is_learned() -> None:
    rows = task(questions=2).encode(scene(1, questions=(COUNT, COLOUR)), np.random.default_rng(0))
    texts = set()
    for row in rows:
        assert row.loss_mask is not None
        assert row.target is None
        cut = row.loss_mask.index(True)
        assert row.loss_mask == [False] * cut + [True] * (len(row.ids) - cut)
        texts.add((text_of(row.ids[:cut]), text_of(row.ids[cut:])))
    assert texts == {("<bos> how many?<sep>", " two<eos>"), ("<bos> 什么颜色？<sep>", " 红色<eos>")}
    assert task().stream == WORDS


def test_by_a_head_the_question_is_read_and_the_answer_is_a_class() -> None:
    asked = (COUNT, COLOUR, Question("what?", "never seen"))
    rows = task(by="head", questions=3).encode(scene(1, questions=asked), np.random.default_rng(0))
    assert all(row.loss_mask is None for row in rows)
    assert {(text_of(row.ids), row.target) for row in rows} == {
        ("<bos> how many?<eos>", 1),
        ("<bos> 什么颜色？<eos>", 2),
        ("<bos> what?<eos>", IGNORE),
    }
    assert task(by="head").stream is None


def test_each_token_of_a_question_belongs_to_its_innermost_phrase() -> None:
    text = "红色物体左边的 heart?"
    inner, outer = Phrase(0, 4, ((0.1, 0.1, 0.2, 0.2),)), Phrase(0, len(text) - 1)
    for phrases in ((inner, outer), (outer, inner)):
        (row,) = task(by="head", questions=1).encode(
            scene(1, questions=(Question(text, "one", phrases=phrases),)), np.random.default_rng(0)
        )
        assert row.phrases is not None
        words = {
            number: text_of([id for id, of in zip(row.ids, row.phrases.of, strict=True) if of == number])
            for number in (0, 1, 2)
        }
        first, second = (1, 2) if phrases[0] is inner else (2, 1)
        assert words[0] == "<bos>?<eos>"
        assert words[first].strip() == "红色物体"
        assert words[second] == "左边的 heart"
        assert row.phrases.boxes == tuple(phrase.boxes for phrase in phrases)


def test_questions_are_chosen_evenly_and_as_many_as_asked_for() -> None:
    rng = np.random.default_rng(0)
    many = scene(1, questions=tuple(Question(str(number), "two") for number in range(3)))
    rows = task(questions=7).encode(many, rng)
    texts = [tiny.tokenizer().decode(row.ids) for row in rows]
    assert len(texts) == 7
    assert {texts.count(text) for text in texts} <= {2, 3}
    one = task(questions=1)
    drawn = [tiny.tokenizer().decode(one.encode(many, rng)[0].ids) for _ in range(300)]
    assert all(70 < drawn.count(text) < 130 for text in set(drawn))
    assert len(set(drawn)) == 3


SAMPLES = [
    scene(1, questions=(COUNT, COLOUR)),
    scene(2, questions=(Question("how many?", "one", "count", "en"), Question("what?", "never seen", "other", "en"))),
    Sample("no picture", questions=(COUNT,)),
]
TRAINING = [
    scene(8, questions=(COUNT, Question("how many?", "one"), COUNT)),
    scene(9, questions=(Question("什么颜色？", "蓝色"), Question("who?", "two"))),
]


@pytest.mark.parametrize("by", ["words", "head"])
def test_figures_by_hand(by: str) -> None:
    """The answers two, 红色, one, never seen; the oracle says two, 红色, two and something wrong; blind always two."""
    if by == "words":
        oracle = Oracle({("什么颜色？", 1): "红色", ("what?", 2): "one"}, otherwise="two")
    else:
        blind = dict.fromkeys([("how many?", 127), ("什么颜色？", 127), ("what?", 127)], 1)
        oracle = Oracle(classes={("how many?", 1): 1, ("什么颜色？", 1): 2, ("how many?", 2): 1, **blind})
    page = SplitExamples()
    figures = task(by=by).evaluate(oracle, SAMPLES, TRAINING, page)
    assert figures == {
        "accuracy": 2 / 4,
        "floor": 1 / 4,
        "count": 4,
        "majority_floor": 1 / 4,
        "question_only_floor": 1 / 4,
        "blind_floor": 1 / 4,
    }
    assert page.tallies["vqa_by_kind"] == {
        "colour": Tally(1, 1, 1.0),
        "count": Tally(1, 2, 0.5),
        "other": Tally(0, 1, 1.0),
    }
    assert page.tallies["vqa_by_language"] == {"en": Tally(1, 3, 1 / 3), "zh": Tally(1, 1, 1.0)}
    assert [example.right for example in page.answers] == [False, False, True]
    assert {example.question for example in page.answers} == {"how many?", "what?"}


def test_without_training_samples_nothing_is_said_of_the_question_alone() -> None:
    figures = task().evaluate(Oracle(), SAMPLES, [], SplitExamples())
    assert "question_only_floor" not in figures
    assert figures["floor"] == max(figures["majority_floor"], figures["blind_floor"])


def test_an_answer_that_the_tokenizer_changes_can_still_be_right() -> None:
    sample = scene(1, questions=(Question("where?", "cafe\u0301 "),))
    figures = task().evaluate(Oracle({("where?", 1): "café"}), [sample], [], SplitExamples())
    assert figures["accuracy"] == 1
