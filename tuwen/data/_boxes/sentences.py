"""Sentences about three boxes, and whether they are true: a grammar of how many things, boxes or towers are how.

A bare number (`there are two black squares`) may mean exactly or at least so many; it is only said where both agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from tuwen.data._boxes.phrases import COLOUR_NAMES, amount, bare, kind, named, number
from tuwen.data._boxes.ways import of_a_box, of_a_tower, one_on_another
from tuwen.data._boxes.world import SHAPES, TALLEST, Boxes, Item

TRIES = 24


class Claim(NamedTuple):
    """A sentence, and whether it is true; None where that is a matter of opinion."""

    text: str
    true: bool | None


Make = Callable[[Random, Boxes], Claim]
"""Which sentence it makes, chance alone decides; only its truth depends on the boxes."""


def claim(rng: Random, pictures: tuple[Boxes, Boxes]) -> Claim | None:
    """A sentence that is true of one of two pictures and false of the other; None where chance finds none.

    Both pictures have towers, or none has. What is said to be true is so of the first.
    """
    make = rng.choice(_ABOUT_TOWERS if pictures[0].towers else _ABOUT_THINGS)
    for _ in range(TRIES):
        seed = rng.getrandbits(32)
        first, second = (make(Random(seed), picture) for picture in pictures)
        if None not in (first.true, second.true) and first.true != second.true:
            return Claim(_spelled(rng, first.text), first.true)
    return None


def _spelled(rng: Random, text: str) -> str:
    """As people write: with a capital and a full stop, or without."""
    text = re.sub(r"\ba (?=item|object)", "an ", text)
    text = text[0].upper() + text[1:] if rng.random() < 0.6 else text
    return text + "." if rng.random() < 0.6 else text


def _things(rng: Random, picture: Boxes) -> Claim:
    """There are exactly two black squares."""
    how_many, what = amount(rng, most=6), kind(rng, picture.towers)
    words = f"{how_many.there()} {what.called(how_many.plural)}"
    return Claim(words, how_many.fits(what.count(picture.items)))


Touch = Callable[[Item], bool]


def _touches(wall: str) -> Touch:
    return lambda item: wall in item.walls


def _touches_any(item: Item) -> bool:
    return bool(item.walls)


def _touches_none(item: Item) -> bool:
    return not item.walls


def _touches_two(item: Item) -> bool:
    return len(item.walls) == 2


_TOUCHING: tuple[tuple[str, Touch], ...] = (
    ("touching the edge", _touches_any),
    ("touching any edge", _touches_any),
    ("touching the wall", _touches_any),
    ("touching the side", _touches_any),
    ("touching the edge of a box", _touches_any),
    ("not touching any edge", _touches_none),
    ("not touching the edge", _touches_none),
    ("not touching the wall", _touches_none),
    ("touching the base", _touches("bottom")),
    ("closely touching the bottom of a box", _touches("bottom")),
    ("closely touching right wall of a box", _touches("right")),
    ("closely touching left wall of a box", _touches("left")),
    ("closely touching the top of a box", _touches("top")),
    ("closely touching a corner of a box", _touches_two),
    ("touching the corner", _touches_two),
)


def _touching(rng: Random, picture: Boxes) -> Claim:
    """There is a blue circle not touching any edge."""
    how_many, what = amount(rng, most=4), kind(rng)
    words, fits = rng.choice(_TOUCHING)
    often = sum(what.fits(item) and fits(item) for item in picture.items)
    link = rng.choice(("", "", "", "that are " if how_many.plural else "that is "))
    return Claim(f"{how_many.there()} {what.called(how_many.plural)} {link}{words}", how_many.fits(often))


def _above(rng: Random, picture: Boxes) -> Claim:
    """There is a black item above a blue item: wholly higher in the same box."""
    one, other = kind(rng), kind(rng)
    word = rng.choice(("above", "over", "below"))
    quantity = rng.choice(("a", "at least one", "no"))
    pairs = [(a, b) for box in picture.boxes for a in box for b in box if a is not b and one.fits(a) and other.fits(b)]
    if word == "below":
        pairs = [(b, a) for a, b in pairs]
    sure = any(upper.y + upper.side <= lower.y for upper, lower in pairs)
    unclear = not sure and any(upper.y < lower.y + lower.side for upper, lower in pairs)
    true = None if unclear else sure == (quantity != "no")
    return Claim(f"there is {quantity} {one.words} {word} a {other.words}", true)


def _blocks_at(rng: Random, picture: Boxes) -> Claim:
    """There is exactly one black block as the base of a tower with at least two blocks."""
    how_many, colour = amount(rng, most=3), rng.choice(COLOUR_NAMES)
    place, end = rng.choice((("top", -1), ("base", 0)))
    tall = amount(rng, most=4) if rng.random() < 0.4 else None
    known = [True if tall is None else tall.fits(len(box)) for box in picture.boxes]
    often = sum(bool(fits) and box[end].colour == colour for fits, box in zip(known, picture.boxes, strict=True))
    height = f" with {tall.of(named('', 'block'))}" if tall else ""
    words = f"{how_many.there()} {named(colour, 'block').called(how_many.plural)} as the {place} of a tower{height}"
    return Claim(words, None if None in known else how_many.fits(often))


def _on(rng: Random, picture: Boxes) -> Claim:
    """There is no yellow block on a blue block."""
    way, quantity = one_on_another(rng), rng.choice(("a", "at least one", "no"))
    found = any(map(way.fits, picture.boxes))
    return Claim(f"there is {quantity} {way.words.removeprefix('with a ')}", found == (quantity != "no"))


def _containers(rng: Random, picture: Boxes) -> Claim:
    """There are at least two towers with a yellow block at the top."""
    way = of_a_tower(rng) if picture.towers else of_a_box(rng)
    noun, nouns = ("tower", "towers") if picture.towers else rng.choice(_BOX_NOUNS)
    often = sum(map(way.fits, picture.boxes))
    has = way.words.removeprefix("with ")
    if has != way.words and rng.random() < 0.15:
        n = rng.randint(1, 3)
        of = noun if rng.random() < 0.4 else nouns  # as people write it
        return Claim(f"{number(rng, n)} of the {of} {rng.choice(('contains', 'has'))} {has}", bare(often, n))
    how_many = amount(rng, most=3)
    link = rng.choice(("with", "with", "with", "which has", "that has", "having", "that contains"))
    words = way.words if has == way.words else f"{link} {has}"
    return Claim(f"{how_many.there()} {nouns if how_many.plural else noun} {words}", how_many.fits(often))


_BOX_NOUNS = (("box", "boxes"), ("box", "boxes"), ("grey box", "grey boxes"), ("grey square", "grey squares"))


def _each(rng: Random, picture: Boxes) -> Claim:
    """Each box has at least one yellow item."""
    what, n = kind(rng, picture.towers), rng.randint(1, 2)
    noun, nouns = ("tower", "towers") if picture.towers else ("box", "boxes")
    some = f"at least {number(rng, n)} {what.called(n > 1)}"
    forms = (
        f"there {'are' if n > 1 else 'is'} {some} in each {noun}",
        f"each {noun} {rng.choice(('has', 'contains'))} {some}",
        f"all {number(rng, 3)} {nouns} have {some}",
    )
    return Claim(rng.choice(forms), all(what.count(box) >= n for box in picture.boxes))


def _bases(rng: Random, picture: Boxes) -> Claim:
    """Two of the towers have a blue base."""
    colour, n = rng.choice(COLOUR_NAMES), rng.randint(1, 3)
    place, end = rng.choice((("base", 0), ("top", -1)))
    often = sum(box[end].colour == colour for box in picture.boxes)
    return Claim(f"{number(rng, n)} of the towers has a {colour} {place}", bare(often, n))


def _coloured_towers(rng: Random, picture: Boxes) -> Claim:
    """There is a black tower with only one block."""
    quantity, colour = rng.choice(("a", "only one", "no")), rng.choice(COLOUR_NAMES)
    tall = amount(rng, most=4) if rng.random() < 0.5 else None
    height = f" with {tall.of(named('', 'block'))}" if tall else ""
    fits = [{item.colour for item in box} == {colour} for box in picture.boxes]
    known = [fit and (tall is None or tall.fits(len(box))) for fit, box in zip(fits, picture.boxes, strict=True)]
    often = sum(map(bool, known))
    true = {"a": often > 0, "only one": often == 1, "no": often == 0}[quantity]
    return Claim(f"there is {quantity} {colour} tower{height}", None if None in known else true)


def _the_tower(rng: Random, picture: Boxes) -> Claim:
    """The tower with four blocks has a black block at the top: there is one, or several that agree."""
    colour, n = rng.choice(COLOUR_NAMES), rng.randint(1, TALLEST)
    place, end = rng.choice((("top", -1), ("base", 0)))
    blocks = f"{number(rng, n)} block{'s' * (n > 1)}"
    forms = (
        f"the tower with {blocks} has a {colour} block at the {place}",
        f"the tower with {blocks} has a {colour} {place}",
        f"the {place} of a {blocks} tower is {colour}",
    )
    found = {box[end].colour == colour for box in picture.boxes if len(box) == n}
    return Claim(rng.choice(forms), None if len(found) == 2 else True in found)


def _one_and_another(rng: Random, picture: Boxes) -> Claim:
    """There is 1 blue triangle and 1 blue square."""
    one, other = (named(colour, rng.choice(SHAPES)) for colour in rng.sample(COLOUR_NAMES, 2))
    counts, said = (rng.randint(1, 3), rng.randint(1, 3)), []
    for n, what in zip(counts, (one, other), strict=True):
        said.append(f"{number(rng, n)} {what.called(n > 1)}")
    fits = {bare(what.count(picture.items), n) for n, what in zip(counts, (one, other), strict=True)}
    true = False if False in fits else None if None in fits else True
    return Claim(f"there {'are' if counts[0] > 1 else 'is'} {said[0]} and {said[1]}", true)


def _heights(rng: Random, picture: Boxes) -> Claim:
    """There are at least two towers with the same height."""
    heights = [len(box) for box in picture.boxes]
    same = max(map(heights.count, heights))
    quantity, link = rng.choice(("at least ", "", "only ")), rng.choice(("with", "of"))
    return Claim(f"there are {quantity}two towers {link} the same height", None if same == 3 else same == 2)


_ABOUT_TOWERS: tuple[Make, ...] = (
    *[_things] * 2, *[_blocks_at] * 2, _on, *[_containers] * 5, _each, _bases, _heights, _coloured_towers, _the_tower,
)  # fmt: skip
_ABOUT_THINGS: tuple[Make, ...] = (
    _things,
    _things,
    *[_touching] * 4,
    _above,
    *[_containers] * 5,
    _each,
    _one_and_another,
)
