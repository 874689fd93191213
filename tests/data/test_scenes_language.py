"""Words: canonical captions by hand and back again, paraphrases true, both languages alike."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from random import Random

import pytest

from tuwen.data._scenes.language import Language
from tuwen.data.scenes import (
    COLOURS,
    LANGUAGES,
    SHAPES,
    SIZES,
    TEXTURES,
    Attributes,
    Config,
    Reference,
    Thing,
    World,
    build,
)

EVERY = [Attributes(*values) for values in product(SIZES, COLOURS, TEXTURES, SHAPES)]


def things(*every: tuple[str, str, str, str], y: Iterable[float] = (0.2, 0.8, 0.2, 0.8)) -> tuple[Thing, ...]:
    return tuple(
        Thing(Attributes(*each), x=0.15 + 0.2 * place, y=height, radius=0.1)
        for place, (each, height) in enumerate(zip(every, y, strict=False))
    )


THREE = things(
    ("large", "red", "striped", "circle"), ("small", "blue", "solid", "square"), ("small", "orange", "outlined", "star")
)


def test_canonical_captions_by_hand() -> None:
    english, chinese = LANGUAGES["en"], LANGUAGES["zh"]
    assert english.caption(THREE) == (
        "a large red striped circle, a small blue square and a small orange outlined star"
    )
    assert chinese.caption(THREE) == "一个大的红色条纹圆形、一个小的蓝色正方形和一个小的橙色空心五角星"
    assert english.caption(THREE[:2], describe_texture=False) == "a large red circle and a small blue square"
    assert chinese.caption(THREE[:2], describe_texture=False) == "一个大的红色圆形和一个小的蓝色正方形"
    assert english.caption(THREE[1:2]) == "a small blue square"
    assert chinese.caption(THREE[1:2]) == "一个小的蓝色正方形"


def test_references_by_hand() -> None:
    english, chinese = LANGUAGES["en"].refer, LANGUAGES["zh"].refer
    assert english(Reference(colour="orange", shape="cross")).one == "an orange cross"
    assert english(Reference(colour="orange", shape="cross")).many == "orange crosses"
    assert english(Reference(size="large", texture="dotted")).the == "the large dotted object"
    assert english(Reference()).many == "objects"
    assert chinese(Reference(colour="orange", shape="cross")).the == "橙色的十字形"
    assert chinese(Reference(size="large", colour="red", shape="heart")).the == "大的红色心形"
    assert chinese(Reference(texture="dotted")).the == "波点物体"
    assert chinese(Reference(colour="green")).one == "一个绿色的物体"


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_canonical_captions_can_be_read_back(language: Language) -> None:
    assert len({language.describe(attributes) for attributes in EVERY}) == len(EVERY)
    rng, world = Random(0), World((1, 4), 0, 0.2)
    for _ in range(300):
        scene = world.scene(rng)
        assert language.parse(language.caption(scene.things)) == [thing.attributes for thing in scene.things]
        without = language.parse(language.caption(scene.things, describe_texture=False))
        assert without == [thing.attributes._replace(texture="solid") for thing in scene.things]
    assert language.parse("") == [None]
    half = language.join([language.describe(EVERY[0]), "?"])
    assert language.parse(half) == [EVERY[0], None]


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_no_word_means_two_things(language: Language) -> None:
    meanings: dict[str, str] = {}
    for value, words in language.words.items():
        for word in words:
            assert meanings.setdefault(word, value) == value


def heard(language: Language, text: str) -> list[dict[str, str]]:
    """What a text says, found word by word: for each thing named, its attributes in the order of naming."""
    said = [(word, value) for value, words in language.words.items() for word in words]
    for value, phrases in language.textures_after.items():
        for phrase in phrases:
            text = text.replace(phrase, language.words[value][0])
    said.sort(key=lambda pair: -len(pair[0]))
    boundary = r"(?<![a-z]){}(?![a-z])" if language.code == "en" else "{}"
    pattern = re.compile("|".join(boundary.format(re.escape(word)) for word, _ in said))
    values = dict(said)
    kinds = {
        value: kind
        for kind, every in zip(Attributes._fields, (SIZES, COLOURS, TEXTURES, SHAPES), strict=True)
        for value in every
    }
    start = r"(?<![a-z])an? (?!picture|pale)(?!image)" if language.code == "en" else "一个"
    pieces = re.split(start, text)[1:]
    found = []
    for piece in pieces:
        words = [values[word] for word in pattern.findall(piece)]
        found.append({kinds[value]: value for value in words if value != "thing"})
    return found


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
@pytest.mark.parametrize("describe_texture", [True, False])
def test_paraphrases_tell_every_thing_truly(language: Language, describe_texture: bool) -> None:
    rng, world = Random(5), World((1, 4), 0, 0.2)
    different = set()
    for _ in range(1500):
        scene = world.scene(rng)
        text = language.paraphrase(rng, scene.things, describe_texture)
        different.add(text)
        told = heard(language, text)
        assert len(told) == len(scene.things), text
        remaining = [thing.attributes._asdict() for thing in scene.things]
        for each in told:
            assert {"size", "colour", "shape"} <= set(each), text
            fitting = next(one for one in remaining if each.items() <= one.items())
            assert not (describe_texture and fitting["texture"] != "solid" and "texture" not in each), text
            assert describe_texture or "texture" not in each
            remaining.remove(fitting)
    assert len(different) > 1400


BEFORE = {
    "en": (
        (r"^(?:there is )?(\w) to the left of (\w)", "{0}<{1}"),
        (r"(\w) to the right of (\w)", "{1}<{0}"),
        (r"on the left (\w), on the right (\w)", "{0}<{1}"),
        (r"on the right there is (\w), on the left (\w)", "{1}<{0}"),
        (r"from left to right: (\w)(?:, (\w))? and (\w)", "{0}<{2}"),
        (r"(\w)(?:, (\w))?,? (?:and )?(\w), seen from the right", "{2}<{0}"),
        (r"from right to left: (\w)(?:, (\w))? and (\w)", "{2}<{0}"),
        (r"(\w) between (\w) on the left and (\w) on the right", "{1}<{0}<{2}"),
        (r"(\w) and (\w) between (\w) on the left and (\w) on the right", "{2}<{0}<{1}<{3}"),
        (r"(\w) to the left of (\w), and (\w) on the far right", "{0}<{1}<{2}"),
        (r"(\w) to the right of (\w), and (\w) on the far left", "{2}<{1}<{0}"),
        (r"on the left (\w), then (\w), on the right (\w)", "{0}<{1}<{2}"),
        (r"on the left (\w), then (\w), then (\w), on the right (\w)", "{0}<{1}<{2}<{3}"),
    ),
    "zh": (
        (r"^(\w)在(\w)的左边", "{0}<{1}"),
        (r"^(\w)在(\w)的右边", "{1}<{0}"),
        (r"(\w)位于(\w)的左侧", "{0}<{1}"),
        (r"(\w)位于(\w)的右侧", "{1}<{0}"),
        (r"^左边是(\w)，右边是(\w)", "{0}<{1}"),
        (r"^右边是(\w)，左边是(\w)", "{1}<{0}"),
        (r"从左到右依次是(\w)(?:、(\w))?和(\w)", "{0}<{2}"),
        (r"从右到左依次是(\w)(?:、(\w))?和(\w)", "{2}<{0}"),
        (r"自右向左有(\w)(?:、(\w))?和(\w)", "{2}<{0}"),
        (r"左边是(\w)，中间是(\w)，右边是(\w)", "{0}<{1}<{2}"),
        (r"^(\w)在左边的(\w)和右边的(\w)之间", "{1}<{0}<{2}"),
        (r"(\w)在(\w)的左边，最右边是(\w)", "{0}<{1}<{2}"),
        (r"(\w)在(\w)的右边，最左边是(\w)", "{2}<{1}<{0}"),
        (r"最左边是(\w)，接着是(\w)和(\w)，最右边是(\w)", "{0}<{1}<{2}<{3}"),
        (r"左边的(\w)和右边的(\w)之间有(\w)和(\w)", "{0}<{2}<{3}<{1}"),
    ),
}


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_left_and_right_are_never_swapped(language: Language) -> None:
    """Every sentence with a side in it, A, B, C and D being the things from left to right, read by hand-made rules."""
    sided = re.compile(r"left|right|左|右")
    for number, templates in language.captions.items():
        letters = list("ABCD"[:number])
        for template in templates:
            text = template.format(*letters, list=language.join(letters), reversed=language.join(letters[::-1]))
            if not sided.search(template):
                assert "{reversed}" not in template
                continue
            if number == 4 and ("{list}" in template or "{reversed}" in template):
                assert ("{reversed}" in template) == bool(
                    re.search("right to left|from the right|从右到左|自右向左", text)
                )
                continue
            orders = [
                order.format(*match.groups()).split("<")
                for rule, order in BEFORE[language.code]
                for match in re.finditer(rule, text)
            ]
            assert orders, f"no rule reads {text!r}"
            assert all(order == sorted(order) for order in orders), text


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_above_and_below_are_never_swapped(language: Language) -> None:
    rules = {
        "en": (r"{0} (?:above|higher up)", r"{1} (?:below|lower down)"),
        "zh": (r"^{0}(?:在{1}的上方|位于{1}上面)", r"^{1}(?:在{0}的下方|位于{0}下面)", r"上面是{0}，下面是{1}"),
    }[language.code]
    for template in language.above:
        text = template.format("A", "B")
        assert any(re.search(rule.format("A", "B"), text) for rule in rules), text
    rng, seen = Random(0), 0
    sentences = [re.escape(template).replace(r"\{0\}", "(.+)").replace(r"\{1\}", "(.+)") for template in language.above]
    pair = things(("large", "red", "solid", "circle"), ("small", "blue", "solid", "square"))
    for upper in pair:
        placed = tuple(Thing(thing.attributes, thing.x, 0.2 if thing is upper else 0.8, thing.radius) for thing in pair)
        for _ in range(200):
            text = language.paraphrase(rng, placed)
            for template, sentence in zip(language.above, sentences, strict=True):
                if match := re.fullmatch(sentence, text):
                    first, second = (heard(language, phrase)[0]["shape"] for phrase in match.groups())
                    above = first if template.index("{0}") < template.index("{1}") else second
                    assert above == upper.attributes.shape, text
                    seen += 1
                    break
    assert seen > 40


def test_level_things_are_not_called_above_each_other() -> None:
    pair = things(("large", "red", "solid", "circle"), ("small", "blue", "solid", "square"), y=(0.5, 0.55))
    rng = Random(0)
    texts = [language.paraphrase(rng, pair) for language in LANGUAGES.values() for _ in range(300)]
    assert not any(re.search("above|below|higher|lower|上方|下方|上面|下面", text) for text in texts)


def test_both_languages_say_as_much() -> None:
    english, chinese = LANGUAGES["en"], LANGUAGES["zh"]
    assert english.words.keys() == chinese.words.keys()
    assert english.questions.keys() == chinese.questions.keys()
    assert english.answers.keys() == chinese.answers.keys() - {"small", "large"}
    assert english.captions.keys() == chinese.captions.keys()
    assert english.textures_after.keys() == chinese.textures_after.keys()


def test_training_never_names_a_held_out_pair() -> None:
    """In any language, in any text: no phrase of a training sample joins a held-out colour with its shape."""
    source = build(Config(paraphrases=2, questions=4))["train"]
    held_out = {language.code: set() for language in LANGUAGES.values()}
    for language in LANGUAGES.values():
        for colour, shape in source.held_out_pairs:
            held_out[language.code] |= set(product(language.words[colour], language.words[shape]))
    for index in range(400):
        sample = source[index]
        texts = [(caption.text, caption.language) for caption in sample.captions]
        texts += [(question.text, question.language) for question in sample.questions]
        for text, code in texts:
            for colour, shape in held_out[code]:
                between = r"( [a-z-]+)? " if code == "en" else r"[^一、，和比与在]{0,4}"
                assert not re.search(f"{colour}{between}(?<!半){shape}(?![a-z])", text), text
