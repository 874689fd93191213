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
from tuwen.data._boxes.world import Boxes, Item

TRIES = 16


class Claim(NamedTuple):
    """A sentence, and whether it is true; None where that is a matter of opinion."""

    text: str
    true: bool | None


Make = Callable[[Random, Boxes], Claim]


def claim(rng: Random, picture: Boxes, wanted: bool) -> Claim | None:
    """A sentence that is true, or false, as wanted; None where chance finds none."""
    makers = _ABOUT_TOWERS if picture.towers else _ABOUT_THINGS
    for _ in range(TRIES):
        found = rng.choice(makers)(rng, picture)
        if found.true is wanted:
            return Claim(_spelled(rng, found.text), wanted)
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
    noun, nouns = ("tower", "towers") if picture.towers else rng.choice((("box", "boxes"), ("grey box", "grey boxes")))
    often = sum(map(way.fits, picture.boxes))
    has = way.words.removeprefix("with ")
    if has != way.words and rng.random() < 0.15:
        n = rng.randint(1, 3)
        return Claim(f"{number(rng, n)} of the {nouns} {rng.choice(('contains', 'has'))} {has}", bare(often, n))
    how_many = amount(rng, most=3)
    link = rng.choice(("with", "with", "with", "which has", "that has", "having", "that contains"))
    words = way.words if has == way.words else f"{link} {has}"
    return Claim(f"{how_many.there()} {nouns if how_many.plural else noun} {words}", how_many.fits(often))


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


def _heights(rng: Random, picture: Boxes) -> Claim:
    """There are at least two towers with the same height."""
    heights = [len(box) for box in picture.boxes]
    same = max(map(heights.count, heights))
    quantity, link = rng.choice(("at least ", "", "only ")), rng.choice(("with", "of"))
    return Claim(f"there are {quantity}two towers {link} the same height", None if same == 3 else same == 2)


_ABOUT_TOWERS: tuple[Make, ...] = (
    _things, _blocks_at, _blocks_at, _on, *[_containers] * 4, _each, _bases, _heights,
)  # fmt: skip
_ABOUT_THINGS: tuple[Make, ...] = (_things, *[_touching] * 4, _above, *[_containers] * 5, _each)
