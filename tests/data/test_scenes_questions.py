"""Questions: every answer worked out again from the scene, in the plainest way; references unique; answers balanced."""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random

import pytest

from tuwen.data._scenes.questions import KINDS, Query, queries
from tuwen.data.scenes import COLOURS, LANGUAGES, SHAPES, SIZES, TEXTURES, Config, Reference, Thing, World, build

WORLD = World((1, 4), 0, 0.2)
KIND_NAMES = {"existence", "count", "colour", "shape", "size", "texture", "comparison", "relation"}


def named(things: tuple[Thing, ...], reference: Reference) -> list[Thing]:
    """The things that a reference fits."""
    found = []
    for thing in things:
        pairs = zip(reference, thing.attributes, strict=True)
        if all(said is None or said == true for said, true in pairs):
            found.append(thing)
    return found


def the(things: tuple[Thing, ...], reference: Reference) -> Thing:
    (only,) = named(things, reference)
    return only


def truth(things: tuple[Thing, ...], query: Query) -> str:
    """The answer by brute force; fails where a reference is not unique or the picture does not decide."""
    form, a, b = query.form, query.a, query.b
    if form == "exists":
        return "yes" if named(things, a) else "no"
    if form == "count":
        return str(len(named(things, a)))
    if form in ("colour", "shape", "size", "texture"):
        assert getattr(a, form) is None, "the question gives its answer away"
        return getattr(the(things, a).attributes, form)
    if form == "compare_numbers":
        assert a != b
        first, second = len(named(things, a)), len(named(things, b))
        assert first + second > 0
        return "more" if first > second else "fewer" if first < second else "equal"
    if form == "compare_sizes":
        assert a.size is None
        assert b.size is None
        first, second = the(things, a), the(things, b)
        assert first is not second
        if first.attributes.size == second.attributes.size:
            return "equal"
        assert abs(first.radius - second.radius) > 0.04, "too close to call"
        return "larger" if first.radius > second.radius else "smaller"
    if form in ("side", "level"):
        where = the(things, a).x if form == "side" else the(things, a).y
        assert abs(where - 0.5) >= 0.05, "too close to call"
        return (("left", "right") if form == "side" else ("top", "bottom"))[where > 0.5]
    if form in ("horizontal", "vertical"):
        first, second = the(things, a), the(things, b)
        gap = first.x - second.x if form == "horizontal" else first.y - second.y
        assert abs(gap) >= 0.1, "too close to call"
        return (("left", "right") if form == "horizontal" else ("above", "below"))[gap > 0]
    side, asked = form.split("_")
    assert asked in ("colour", "shape")
    if side in ("left", "right", "above", "below"):
        return getattr(beside(things, the(things, a), side).attributes, asked)
    axis = "x" if side in ("leftmost", "rightmost") else "y"
    ranked = sorted(things, key=lambda thing: getattr(thing, axis), reverse=side in ("rightmost", "bottommost"))
    assert abs(getattr(ranked[0], axis) - getattr(ranked[1], axis)) >= 0.1, "too close to call"
    return getattr(ranked[0].attributes, asked)


def beside(things: tuple[Thing, ...], of: Thing, side: str) -> Thing:
    """The only thing on one side of another."""
    axis, sign = {"left": ("x", -1), "right": ("x", 1), "above": ("y", -1), "below": ("y", 1)}[side]
    gaps = [(sign * (getattr(thing, axis) - getattr(of, axis)), thing) for thing in things if thing is not of]
    assert min(abs(gap) for gap, _ in gaps) >= 0.1, "too close to call"
    (only,) = [thing for gap, thing in gaps if gap > 0]
    return only


@pytest.mark.parametrize("ask", KINDS)
@pytest.mark.parametrize("held_out", [False, True])
def test_every_kind_of_answer_is_true(ask, held_out: bool) -> None:
    rng, asked = Random(1), 0
    for _ in range(1500):
        things = WORLD.scene(rng, held_out).things
        query = ask(rng, things, WORLD.held_out_pairs)
        if query:
            assert query.answer == truth(things, query), query
            asked += 1
    assert asked > 400


def test_every_form_is_asked_and_every_word_answered() -> None:
    rng, forms, answers = Random(2), Counter(), defaultdict(Counter)
    for _ in range(12000):
        things = WORLD.scene(rng).things
        for query in queries(rng, things, WORLD.held_out_pairs, 2):
            forms[query.form] += 1
            answers[query.kind][query.answer] += 1
    for language in LANGUAGES.values():
        assert set(forms) == set(language.questions)
    assert set(answers) == KIND_NAMES
    assert set(answers["count"]) == set("01234")
    assert set(answers["existence"]) == {"yes", "no"}
    assert set(answers["comparison"]) == {"more", "fewer", "equal", "larger", "smaller"}
    for kind, values in (("colour", COLOURS), ("shape", SHAPES), ("size", SIZES), ("texture", TEXTURES)):
        assert set(answers[kind]) == set(values)
        assert answers[kind].most_common(1)[0][1] < 1.25 * answers[kind].total() / len(values)
    assert answers["count"].most_common(1)[0][1] < 0.45 * answers["count"].total()


def test_no_answer_of_a_choice_is_likelier_than_the_others() -> None:
    choices = {
        "exists": ("yes", "no"),
        "compare_numbers": ("more", "fewer", "equal"),
        "compare_sizes": ("larger", "smaller", "equal"),
        "side": ("left", "right"),
        "level": ("top", "bottom"),
        "horizontal": ("left", "right"),
        "vertical": ("above", "below"),
    }
    rng, found = Random(3), defaultdict(Counter)
    for held_out in (False, True):
        for _ in range(8000):
            for query in queries(rng, WORLD.scene(rng, held_out).things, WORLD.held_out_pairs, 2):
                if query.form in choices:
                    found[query.form, held_out][query.answer] += 1
    assert len(found) == 2 * len(choices)
    for (form, _), answers in found.items():
        margin = 0.04 + 1.5 / answers.total() ** 0.5
        assert set(answers) == set(choices[form])
        assert answers.most_common(1)[0][1] / answers.total() <= 1 / len(answers) + margin, (form, answers)


def test_a_question_alone_says_little() -> None:
    """What the best answer to each wording of training gets on other scenes: the floor of any model that looks."""
    splits = build(Config(languages=("en",)))
    best: dict[str, Counter[str]] = defaultdict(Counter)
    for index in range(6000):
        for question in texts(splits["train"], index):
            best[question.text][question.answer] += 1
    right = Counter()
    for index in range(2000):
        for question in texts(splits["test"], index):
            guess = best[question.text].most_common(1)[0][0] if question.text in best else "yes"
            right[guess == question.answer] += 1
    assert right[True] / right.total() < 0.42


def texts(source, index: int):
    rng = Random(index)
    return source._questions(rng, source.scene(index).things, [])


def test_being_held_out_does_not_give_the_answer_away() -> None:
    rng, named_pairs = Random(4), Counter()
    for _ in range(6000):
        for query in queries(rng, WORLD.scene(rng, held_out=True).things, WORLD.held_out_pairs, 2):
            if query.form == "exists" and (query.a.colour, query.a.shape) in WORLD.held_out_pairs:
                named_pairs[query.answer] += 1
    assert named_pairs.total() > 300
    assert named_pairs["yes"] / named_pairs.total() == pytest.approx(0.5, abs=0.08)


def test_training_is_never_asked_about_a_held_out_pair() -> None:
    rng = Random(5)
    for _ in range(4000):
        for query in queries(rng, WORLD.scene(rng).things, WORLD.held_out_pairs, 3):
            for reference in (query.a, query.b):
                assert (reference.colour, reference.shape) not in WORLD.held_out_pairs


def test_questions_of_a_scene_differ() -> None:
    rng = Random(6)
    for _ in range(300):
        asked = queries(rng, WORLD.scene(rng).things, WORLD.held_out_pairs, 6)
        assert len(asked) == len(set(asked)) >= 5
    assert queries(rng, WORLD.scene(rng).things, WORLD.held_out_pairs, 0) == []


def test_questions_in_words() -> None:
    query = Query(
        "relation", "horizontal", "left", Reference(colour="red", shape="circle"), Reference(texture="dotted")
    )
    rng = Random(0)
    english = {LANGUAGES["en"].question(rng, query)[0] for _ in range(20)}
    assert english == {
        "Is the red circle left or right of the dotted object?",
        "Which side of the dotted object is the red circle on?",
    }
    chinese = {LANGUAGES["zh"].question(rng, query)[0] for _ in range(20)}
    assert chinese == {"红色的圆形在波点物体的左边还是右边？", "红色的圆形在波点物体的哪一侧？"}
    assert [LANGUAGES["zh"].answer(answer) for answer in ("yes", "no", "3", "red", "star", "small", "outlined")] == [
        "是", "否", "3", "红色", "五角星", "小", "空心",
    ]  # fmt: skip
    assert [LANGUAGES["en"].answer(answer) for answer in ("yes", "no", "3", "red", "small")] == [
        "yes", "no", "3", "red", "small",
    ]  # fmt: skip


def test_both_languages_ask_the_same() -> None:
    source = build(Config(questions=3))["test"]
    for index in range(100):
        questions = source[index].questions
        english, chinese = questions[0::2], questions[1::2]
        back = {LANGUAGES["zh"].answer(value): value for value in answers()}
        for one, other in zip(english, chinese, strict=True):
            assert (one.language, other.language) == ("en", "zh")
            assert one.kind == other.kind
            assert back[other.answer] == one.answer


def answers() -> list[str]:
    words = ("yes", "no", "left", "right", "above", "below", "top", "bottom")
    compared = ("more", "fewer", "larger", "smaller", "equal")
    return [*words, *compared, *"01234", *SIZES, *COLOURS, *TEXTURES, *SHAPES]
