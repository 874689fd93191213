"""Stories: what is asked of them has one right answer, and it stands in the story or in the picture."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import build_part
from tuwen.core.sample import Sample
from tuwen.data._scenes.world import World
from tuwen.data.scenes import LANGUAGES
from tuwen.data.stories import KINDS, TELLINGS

NONE = dict.fromkeys(KINDS, 0)


def stories(count: int = 40, split: str = "train", **settings: Any) -> list[Sample]:
    source = build_part("data", {"kind": "stories", **settings})[split]
    return [source[number] for number in range(count)]


def only(kind: str, **settings: Any) -> list[Sample]:
    return stories(**{**NONE, kind: 1, **settings})


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_summary_tells_the_things_of_the_story_in_their_order(language: str) -> None:
    held_out, counts = World((1, 1), 0, 0.2).held_out_pairs, set()
    for sample in only("summary", languages=[language], things=[1, 3]):
        (question,) = sample.questions
        phrases = LANGUAGES[language].split(question.answer)
        places = [question.text.find(phrase) for phrase in phrases]
        assert sample.image is None
        assert -1 not in places
        things = LANGUAGES[language].parse(question.answer)
        assert all(thing is not None and (thing.colour, thing.shape) not in held_out for thing in things)
        counts.add(len(things))
    assert counts == {1, 2, 3}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_picture_shows_what_an_illustrated_story_leaves_out(language: str) -> None:
    for sample in only("illustrated", languages=[language]):
        (question,) = sample.questions
        told = [phrase in question.text for phrase in LANGUAGES[language].split(question.answer)]
        assert told.count(False) <= 1
        assert sample.image is not None
        assert TELLINGS[language].seen.partition("{name}")[2] in question.text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_end_of_a_story_is_its_mood(language: str) -> None:
    telling, moods = TELLINGS[language], Counter[str]()
    for sample in only("sentiment", languages=[language]):
        (question,) = sample.questions
        happy = [re.escape(end).replace(r"\{name\}", ".*") for end in telling.ends[0]]
        ends_well = any(re.search(f"{end}$", question.text) for end in happy)
        assert question.answer == telling.moods[not ends_well]
        moods[question.answer] += 1
    assert min(moods.values()) > 8


def test_the_number_is_where_the_thing_is() -> None:
    """The mean place of what differs most from the background."""
    for sample in only("number", languages=["en"], count=8, size=128):
        picture = np.asarray(sample.image, np.float64)
        away = np.abs(picture - np.median(picture, (0, 1))).sum(-1) > 120
        columns = away.nonzero()[1]
        middle = (columns.min() + columns.max() + 1) / 2 / picture.shape[1]
        assert float(sample.questions[0].answer) == pytest.approx(100 * middle, abs=6)


def test_the_same_number_gives_the_same_story_and_all_kinds_come() -> None:
    texts = [sample.questions[0] for sample in stories()]
    assert texts == [sample.questions[0] for sample in stories()]
    assert {question.kind for question in texts} == set(KINDS)
    assert texts != [sample.questions[0] for sample in stories(split="test")]


def test_bad_settings_are_told() -> None:
    with pytest.raises(RecipeError, match="give a weight above 0"):
        stories(**NONE)
    with pytest.raises(RecipeError, match="fewest things first"):
        stories(things=[3, 2])
