"""Texts that can be learned from in context: what they say is so."""

import re
from collections import Counter
from typing import Any

import pytest

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import build_part
from tuwen.data.scenes import COLOURS, LANGUAGES, SHAPES, SIZES, TEXTURES, World
from tuwen.data.word_games import GAMES, WordGames

VALUES = {"size": SIZES, "colour": COLOURS, "texture": TEXTURES, "shape": SHAPES}
ONLY: dict[str, Any] = {"lists": 0, "names": 0, "captions": 0, "questions": 0}


def play(count: int = 60, split: str = "train", tags: float = 0, **settings: Any) -> list[str]:
    source = build_part("data", {"kind": "word_games", "tags": tags, **settings})[split]
    assert isinstance(source, WordGames)
    return [source[number].captions[0].text for number in range(count)]


def only(kind: str, **settings: Any) -> list[str]:
    return play(**{**ONLY, kind: 1, **settings})


SAID = r"(?: this is a| what is this\? answer: this is a|这是什么？回答：这是|这是)? ?"
THING = (
    r"(?:a (?:small|large)[\w ]*?(?:circle|square|triangle|star|cross|diamond|heart|semicircle)\b"
    r"|一个[大小].*?(?:半圆形|十字形|正方形|三角形|五角星|菱形|心形|圆形))"
)


@pytest.mark.parametrize("short", [0.0, 1.0])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_word_means_one_colour_and_shape_in_a_text(language: str, short: float) -> None:
    words, held_out = GAMES[language], World((1, 1), 0, 0.2).held_out_pairs
    pattern = re.compile(rf"({THING}){SAID}({'|'.join(words.made_up)})[.。]")
    ways = []
    for text in only("names", short=short, languages=[language], ways=[2, 4]):
        told = pattern.findall(text)
        pairs = {word: set() for _, word in told}  # type: ignore[var-annotated]
        for thing, word in told:
            attributes = LANGUAGES[language].parse(thing)[0]
            assert attributes is not None, thing
            pairs[word].add((attributes.colour, attributes.shape))
        assert all(len(meanings) == 1 for meanings in pairs.values())
        assert len({next(iter(meanings)) for meanings in pairs.values()}) == len(pairs)
        assert not {next(iter(meanings)) for meanings in pairs.values()} & held_out
        assert len(told) == len(pairs) * 4
        ways.append(len(pairs))
    assert set(ways) == {2, 3, 4}


def test_the_meaning_of_a_word_differs_from_text_to_text() -> None:
    told = [
        re.findall(r"a \S+ (\w+) .*? this is a (\w+)\.", text)[0] for text in only("names", short=0, languages=["en"])
    ]
    by_word = Counter(word for _, word in told)
    often = [word for word, count in by_word.items() if count > 2]
    assert often
    assert any(len({colour for colour, other in told if other == word}) > 1 for word in often)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_lists_come_again_and_captions_tell_the_same(language: str) -> None:
    between = GAMES[language].listed
    for text in only("lists", languages=[language]):
        sizes = [size for size in range(3, len(text) // 2 + 1) if text[size:].startswith(between + text[:size])]
        assert sizes, text
    for text in only("captions", languages=[language]):
        for sentence in filter(None, re.split(r"[.。] ?", text)):
            things = re.findall(THING, sentence)
            assert len(things) == 2
            assert things[0] == things[1]


def test_questions_have_the_answers_of_the_thing() -> None:
    colours = 0
    for text in only("questions", languages=["en"], length=[1, 1], count=200):
        thing, question, answer = re.fullmatch(r"(.*?) question: (.*?) answer: (.*)\.", text).groups()  # type: ignore[union-attr]
        attributes = LANGUAGES["en"].parse(thing)[0]
        assert attributes is not None
        if "colour" in question:
            colours += 1
            assert answer == attributes.colour
    assert colours > 5


def test_tags_have_one_order_in_a_text() -> None:
    """Every thing by as many tags, the attribute of each place the same; captions and answers stay as they are."""
    words, lengths = LANGUAGES["en"].words, set[int]()
    sorts = [{words[value][0]: name for value in VALUES[name]} for name in VALUES]
    sort_of = {word: name for sort in sorts for word, name in sort.items()}
    for text in only("captions", languages=["en"], tags=1, tokens=[4, 6], length=[4, 4]):
        said = [re.split(r" shows | is a picture of | here is ", one) for one in text.rstrip(".").split(". ")]
        assert len(said) == 4
        things = [(told.split(), LANGUAGES["en"].parse(caption)[0]) for told, caption in said]
        orders = set()
        for tags, attributes in things:
            assert attributes is not None
            assert {attributes.size, attributes.colour, attributes.shape} <= set(tags)
            assert attributes.texture == "solid" or attributes.texture in tags
            orders.add(
                tuple(
                    "texture or nothing" if sort_of.get(tag, "texture") == "texture" else sort_of[tag] for tag in tags
                )
            )
        assert len(orders) == 1
        lengths |= {len(order) for order in orders}
    assert lengths == {4, 5, 6}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_words_are_told_of_tags_too(language: str) -> None:
    words = GAMES[language]
    for text in only("names", languages=[language], tags=1, short=1.0, ways=[2, 2]):
        made_up = re.findall("|".join(words.made_up), text)
        assert len(set(made_up)) == 2
        assert len(made_up) == 8


def test_the_same_number_gives_the_same_text_and_splits_differ() -> None:
    assert play(20) == play(20)
    assert play(20) != play(20, seed=1)
    assert not set(play(20)) & set(play(20, split="validation"))


def test_bad_settings_are_told() -> None:
    with pytest.raises(RecipeError, match="give a weight above 0"):
        play(**ONLY)
    with pytest.raises(RecipeError, match="fewest first"):
        play(ways=[3, 2])
    with pytest.raises(RecipeError, match="greater than or equal to 4"):
        play(tokens=[3, 5])
