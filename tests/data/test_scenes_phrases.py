"""Which words of a question name things, and where these are."""

from dataclasses import replace
from random import Random

import pytest

from tuwen.core.sample import Question, Rectangle
from tuwen.data.scenes import LANGUAGES, Attributes, Config, Query, Reference, Scenes, Thing, _named, box, build


@pytest.fixture(scope="module")
def source() -> Scenes:
    found = build(Config(questions=8, phrases=True, objects=(1, 4)))["test"]
    assert isinstance(found, Scenes)
    return found


def where(thing: Thing) -> Rectangle:
    return box(thing.attributes.shape, thing.x, thing.y, thing.radius, thing.angle)


def said(question: Question) -> list[tuple[str, int]]:
    """The words of each phrase, and how many things it names."""
    return [(question.text[phrase.start : phrase.stop], len(phrase.boxes)) for phrase in question.phrases]


CIRCLE, STAR, HEART = Reference(shape="circle"), Reference(colour="red", shape="star"), Reference(shape="heart")
THINGS = (
    Thing(Attributes("small", "red", "solid", "star"), 0.2, 0.3, 0.1),
    Thing(Attributes("large", "blue", "dotted", "circle"), 0.6, 0.7, 0.2),
    Thing(Attributes("small", "green", "solid", "circle"), 0.8, 0.2, 0.1),
)


@pytest.mark.parametrize(
    ("query", "english", "chinese"),
    [
        (Query("existence", "exists", "no", HEART), [("a heart", 0)], [("心形", 0)]),
        (
            Query("comparison", "compare_numbers", "more", CIRCLE, STAR),
            [("circles", 2), ("red stars", 1)],
            [("圆形", 2), ("红色的五角星", 1)],
        ),
        (
            Query("relation", "left_colour", "red", Reference(texture="dotted"), it=THINGS[0]),
            [("the dotted object", 1), ("the object to the left of the dotted object", 1)],
            [("波点物体", 1), ("波点物体左边的物体", 1)],
        ),
        (
            Query("relation", "topmost_shape", "circle", it=THINGS[2]),
            [("the object at the top", 1)],
            [("最上面的物体", 1)],
        ),
    ],
)
def test_phrases_by_hand(source: Scenes, query: Query, english: object, chinese: object) -> None:
    named = _named(query, THINGS, [where(thing) for thing in THINGS])
    for language, wanted in (("en", english), ("zh", chinese)):
        question = source._question(Random(1), query, LANGUAGES[language], named)
        assert said(question) == wanted
        if query.it is not None:
            assert question.phrases[-1].boxes == (where(query.it),)


def test_numbers_are_told_by_the_phrases(source: Scenes) -> None:
    asked = 0
    for index in range(200):
        for question in source[index].questions:
            numbers = [number for _, number in said(question)]
            if question.kind == "count":
                assert str(numbers[0]) == question.answer
            elif question.kind == "existence":
                assert (numbers[0] > 0) == (question.answer in ("yes", "是"))
            elif question.kind in ("colour", "shape", "size", "texture"):
                assert numbers == [1]
            elif question.answer in ("more", "fewer", "更多", "更少"):
                assert (numbers[0] > numbers[1]) == (question.answer in ("more", "更多"))
            else:
                continue
            asked += 1
    assert asked > 500


def test_words_for_what_is_asked_about_name_it(source: Scenes) -> None:
    """`the object above the circle` is the one whose colour or shape is the answer."""
    asked = {"en": 0, "zh": 0}
    for index in range(300):
        things = {where(thing): thing.attributes for thing in source.scene(index).things}
        for question in source[index].questions:
            if question.kind != "relation" or not any(word in question.text for word in ("object ", "object?", "物体")):
                continue
            last = question.phrases[-1]
            attributes = things[last.boxes[0]]
            words = LANGUAGES[question.language]
            if question.answer in map(words.answer, attributes):
                assert len(last.boxes) == 1
                asked[question.language] += 1
    assert min(asked.values()) > 50


def test_the_words_are_the_same_without_them(source: Scenes) -> None:
    plain = build(source.config.model_copy(update={"phrases": False}))["test"]
    for index in range(50):
        sample = source[index]
        questions = tuple(replace(question, phrases=()) for question in sample.questions)
        assert questions == plain[index].questions
        assert any(question.phrases for question in sample.questions)
        assert all("[" not in question.text for question in questions)
