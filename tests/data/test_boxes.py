"""Three boxes: pictures pixel by pixel, and sentences whose truth is known by hand."""

import re
from collections import Counter
from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from tuwen.core.sample import Sample, Source
from tuwen.data import NotedSplits
from tuwen.data._boxes import sentences, ways
from tuwen.data._boxes.layout import BETWEEN, GAP, SIDE, lay_out
from tuwen.data._boxes.world import COLOURS, GROUND, Boxes, Item, draw, render

Build = Callable[..., NotedSplits]


def block(colour: str, place: int) -> Item:
    return Item("square", colour, 20, 40, 80 - 21 * place)


TOWERS = Boxes(
    (
        (block("black", 0), block("blue", 1), block("yellow", 2)),
        (block("black", 0),),
        (block("yellow", 0), block("yellow", 1)),
    ),
    towers=True,
)
THINGS = Boxes(
    (
        (Item("square", "black", 20, 0, 30), Item("circle", "blue", 10, 50, 50)),
        (
            Item("triangle", "yellow", 30, 70, 70),
            Item("circle", "blue", 20, 40, 80),
            Item("circle", "blue", 10, 40, 20),
        ),
        (Item("square", "black", 10, 20, 40),),
    ),
    towers=False,
)
TRUTHS: dict[bool, dict[str, bool]] = {
    True: {
        "there is a tower with a yellow block at the top": True,
        "there is a tower with a black block at the top": True,
        "there is no tower with a yellow block at the bottom": False,
        "there is a blue block on a black block": True,
        "there is no black block on a blue block": True,
        "there is a yellow block above a blue block": True,
        "there are only 2 yellow blocks": False,
        "there is a tower with all three colors": True,
        "2 of the towers has a black base": True,
        "there is a yellow tower": True,
        "there is no black tower": False,
        "the tower with three blocks has a yellow block at the top": True,
        "the base of a 3 blocks tower is black": True,
        "the tower with 2 blocks has a black base": False,
    },
    False: {
        "there is a black circle": False,
        "there is no blue triangle": True,
        "there is a yellow object touching the edge": True,
        "there is a blue object touching any edge": True,
        "there is a black item touching the wall": True,
        "there is a item closely touching a corner of a box": True,
        "there is a box with items of only one color": True,
        "there is a box with only black items": True,
        "each box contains at least two black items": False,
    },
}


def said(picture: Boxes) -> dict[str, bool]:
    """What the grammar says of a picture, and whether it holds it to be true."""
    rng, found = Random(0), dict[str, bool]()
    for _ in range(12_000):
        claim = sentences.claim(rng, (picture, draw(rng, picture.towers)))
        if claim is not None:
            text = re.sub(r"\ban\b", "a", claim.text.lower().rstrip("."))
            assert found.setdefault(text, bool(claim.true)) == claim.true, f"{text!r} cannot be both"
    return found


@pytest.mark.parametrize("picture", [TOWERS, THINGS], ids=["towers", "things"])
def test_sentences_are_true_or_false_as_a_person_would_say(picture: Boxes) -> None:
    found = said(picture)
    wanted = TRUTHS[picture.towers]
    assert {text: found.get(text) for text in wanted} == wanted


def way(make: ways.Say, words: str) -> ways.Way:
    """The one of its ways that has these words."""
    return next(found for found in map(make, map(Random, range(10_000))) if found.words == words)


def test_stacked_blocks_follow_each_other() -> None:
    two = way(ways._stacked, "with two yellow blocks stacked together")
    three = way(ways._stacked, "with 3 yellow blocks stacked together")
    assert [two.fits(tower) for tower in TOWERS.boxes] == [False, False, True]
    assert not any(three.fits(tower) for tower in TOWERS.boxes)
    assert not two.fits((block("yellow", 0), block("black", 1), block("yellow", 2)))
    assert three.fits((block("black", 0), *(block("yellow", place) for place in (1, 2, 3))))


def test_three_things_that_are_told_are_three() -> None:
    three = way(ways._three_kinds, "with a yellow triangle, a blue circle and a blue circle")
    any_third = way(ways._three_kinds, "with a black square, a blue circle and a blue item")
    assert [three.fits(box) for box in THINGS.boxes] == [False, True, False]
    assert not any(any_third.fits(box) for box in THINGS.boxes)
    assert any_third.fits((*THINGS.boxes[0], Item("circle", "blue", 20, 10, 80)))


def test_so_many_blocks_of_each_colour_are_at_least_so_many() -> None:
    both = way(ways._blocks_and_blocks, "with a black block and 2 yellow blocks")
    tower = block("black", 0), block("yellow", 1), block("blue", 2), block("yellow", 3)
    assert both.fits(tower)
    assert not both.fits(tower[:3])


def test_a_picture_is_what_the_things_say() -> None:
    pixels = render(THINGS.boxes[0])
    assert pixels.shape == (SIDE, SIDE, 3)
    assert (pixels[30:50, 0:20] == COLOURS["black"]).all()
    assert (pixels[:30] == GROUND).all()
    assert pixels[55, 55].tolist() == list(COLOURS["blue"])
    assert pixels[50, 50].tolist() == [GROUND] * 3
    disc = (pixels[50:60, 50:60] == COLOURS["blue"]).all(-1).sum()
    assert 60 <= disc <= 80


def test_the_drawn_pictures_are_those_of_nlvr(shared_data: object) -> None:
    """Sizes, colours and shapes of things are to the pixel those of the corpus."""
    from pathlib import Path

    from PIL import Image

    assert isinstance(shared_data, Path)
    with Image.open(shared_data / "nlvr" / "train" / "0001.png") as file:
        real = np.array(file.convert("RGB")).astype(int)
    tower = ("black", "yellow", "black", "black")
    drawn = render(tuple(block(colour, place) for place, colour in enumerate(tower)))
    assert (np.abs(real[:, :SIDE] - drawn).max(-1) < 8).all()
    assert (real[:, SIDE : SIDE + GAP] == BETWEEN).all()


def test_boxes_in_a_row_and_in_a_grid() -> None:
    boxes = [np.full((SIDE, SIDE, 3), value, np.uint8) for value in (10, 20, 30)]
    row = lay_out(boxes, "row")
    assert row.shape == (100, 400, 3)
    assert row[50, [50, 125, 200, 275, 350], 0].tolist() == [10, BETWEEN, 20, BETWEEN, 30]
    grid = lay_out(boxes, "grid")
    assert grid.shape == (208, 208, 3)
    assert [grid[50, 50, 0], grid[50, 150, 0], grid[150, 50, 0], grid[150, 150, 0]] == [10, 20, 30, BETWEEN]


def test_things_stay_in_their_box_and_apart() -> None:
    rng, touching = Random(1), Counter[int]()
    for number in range(300):
        picture = draw(rng, towers=number % 2 == 0)
        for box in picture.boxes:
            assert box
            for item in box:
                assert 0 <= item.x <= SIDE - item.side
                assert 0 <= item.y <= SIDE - item.side
                touching[len(item.walls)] += not picture.towers
            cover = np.zeros((SIDE, SIDE), int)
            for item in box:
                cover[item.y : item.y + item.side, item.x : item.x + item.side] += 1
            assert cover.max() <= 1
    assert touching[0] > touching[1] > touching[2] > 10


def test_a_sentence_is_true_of_one_picture_and_false_of_the_next(build: Build) -> None:
    train = build("boxes", sentences=8)["train"]
    assert isinstance(train, Source)
    for pair in range(30):
        one, other = train[2 * pair], train[2 * pair + 1]
        assert not np.array_equal(np.asarray(one.image), np.asarray(other.image))
        assert [question.text for question in one.questions] == [question.text for question in other.questions]
        for question, opposite in zip(one.questions, other.questions, strict=True):
            assert {question.answer, opposite.answer} == {"true", "false"}


def test_samples_are_pure_and_their_answers_even(build: Build) -> None:
    splits = build("boxes", sentences=8)
    train = splits["train"]
    assert isinstance(train, Source)
    samples: list[Sample] = [train[number] for number in range(100)]
    again = train[5]
    assert np.array_equal(np.asarray(samples[5].image), np.asarray(again.image))
    assert samples[5].questions == again.questions
    answers = Counter(question.answer for sample in samples for question in sample.questions)
    assert answers.keys() == {"true", "false"}
    assert answers["true"] == answers["false"]
    assert answers.total() > 600
    assert {question.kind for sample in samples for question in sample.questions} == {"towers", "items"}
    with pytest.raises(IndexError):
        train[len(train)]
