"""Sentences about three boxes, and whether they are true: a grammar of how many things, boxes or towers are how.

A bare number (`there are two black squares`) may mean exactly or at least so many; it is only said where both agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple, TypeVar

from tuwen.data._boxes.world import COLOURS, SHAPES, SIZES, Box, Boxes, Item

T = TypeVar("T")
COLOUR_NAMES = tuple(COLOURS)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Claim(NamedTuple):
    """A sentence, and whether it is true; None where that is a matter of opinion."""

    text: str
    true: bool | None


class Amount(NamedTuple):
    """`at least two`: the words, whether the noun is plural, and the test of a number (None: it depends)."""

    words: str
    plural: bool
    fits: Callable[[int], bool | None]


class Kind(NamedTuple):
    """`black square`: the words, in singular and plural, and the test of a thing."""

    one: str
    many: str
    fits: Callable[[Item], bool]


class Way(NamedTuple):
    """What is said of a box or of a tower: `with a black square`."""

    words: str
    fits: Callable[[Box], bool]


def claim(rng: Random, picture: Boxes, wanted: bool) -> Claim | None:
    """A sentence that is true, or false, as wanted; None where chance finds none."""
    makers = _ABOUT_TOWERS if picture.towers else _ABOUT_THINGS
    for _ in range(16):
        found = rng.choice(makers)(rng, picture)
        if found.true is wanted:
            return Claim(_spelled(rng, found.text), wanted)
    return None


def _spelled(rng: Random, text: str) -> str:
    """As people write: with a capital and a full stop, or without."""
    text = re.sub(r"\ba (?=item|object)", "an ", text)
    text = text[0].upper() + text[1:] if rng.random() < 0.6 else text
    return text + "." if rng.random() < 0.6 else text


# Amounts


def _amount(rng: Random, most: int = 4) -> Amount:
    """`a`, `exactly two`, `at least 3`, `no`, ..."""
    n = rng.choice([1, 1, 1, 2, 2, 3, 3, *range(4, most + 1)][: 7 if most < 5 else None])
    said = _number(rng, n)
    forms = [
        (f"exactly {said}", n > 1, lambda k: k == n),
        (f"only {said}", n > 1, lambda k: k == n),
        (f"at least {said}", n > 1, lambda k: k >= n),
        (f"{said}", n > 1, lambda k: _bare(k, n)),
        ("a", False, lambda k: k >= 1),
        ("a", False, lambda k: k >= 1),
        ("no", False, lambda k: k == 0),
        (f"more than {said}", True, lambda k: k > n),
        (f"at most {said}", n > 1, lambda k: k <= n),
    ]
    weights = (5, 2, 5, 4, 4, 4, 2, 1, 1)
    return Amount(*rng.choices(forms, weights)[0])


def _bare(k: int, n: int) -> bool | None:
    return None if k > n else k == n


def _number(rng: Random, n: int) -> str:
    return NUMBERS[n] if rng.random() < 0.55 else str(n)


# Things


def _kind(rng: Random, towers: bool, colour: float = 0.75) -> Kind:
    """`black square`, `item`, `yellow block`, ..."""
    said = rng.choice(COLOUR_NAMES) if rng.random() < colour else ""
    if towers:
        return _named(said, "block", None)
    shape = rng.choice((*SHAPES, "item", "object"))
    size = rng.choice(list(SIZES)) if rng.random() < 0.04 and shape in SHAPES else ""
    return _named(said, shape, shape if shape in SHAPES else None, size)


def _named(colour: str, noun: str, shape: str | None, size: str = "") -> Kind:
    words = " ".join(word for word in (size, colour, noun) if word)
    return Kind(
        words,
        f"{words}s",
        lambda item: (
            (not colour or item.colour == colour)
            and (shape is None or item.shape == shape)
            and (not size or item.side == SIZES[size])
        ),
    )


def _count(box: Sequence[Item], kind: Kind) -> int:
    return sum(kind.fits(item) for item in box)


def _say(amount: Amount, kind: Kind) -> str:
    return f"{amount.words} {kind.many if amount.plural else kind.one}"


def _there(rng: Random, amount: Amount) -> str:
    return f"there {'are' if amount.plural else 'is'} {amount.words}"


_TOUCHES: tuple[tuple[str, Callable[[Item], bool]], ...] = (
    ("touching the edge", lambda item: bool(item.walls)),
    ("touching any edge", lambda item: bool(item.walls)),
    ("touching the wall", lambda item: bool(item.walls)),
    ("touching the side", lambda item: bool(item.walls)),
    ("touching the edge of a box", lambda item: bool(item.walls)),
    ("not touching any edge", lambda item: not item.walls),
    ("not touching the edge", lambda item: not item.walls),
    ("not touching the wall", lambda item: not item.walls),
    ("touching the base", lambda item: "bottom" in item.walls),
    ("closely touching the bottom of a box", lambda item: "bottom" in item.walls),
    ("closely touching right wall of a box", lambda item: "right" in item.walls),
    ("closely touching the top of a box", lambda item: "top" in item.walls),
    ("closely touching left wall of a box", lambda item: "left" in item.walls),
    ("closely touching a corner of a box", lambda item: len(item.walls) == 2),
    ("touching the corner", lambda item: len(item.walls) == 2),
)


def _things(rng: Random, picture: Boxes) -> Claim:
    """There are exactly two black squares."""
    amount, kind = _amount(rng, most=6), _kind(rng, picture.towers)
    number = _count(picture.items, kind)
    return Claim(f"{_there(rng, amount)} {kind.many if amount.plural else kind.one}", amount.fits(number))


def _touching(rng: Random, picture: Boxes) -> Claim:
    """There is a blue circle not touching any edge."""
    amount, kind = _amount(rng), _kind(rng, False)
    words, fits = rng.choice(_TOUCHES)
    number = sum(kind.fits(item) and fits(item) for item in picture.items)
    link = rng.choice(("", "", "", "that is " if not amount.plural else "that are "))
    noun = kind.many if amount.plural else kind.one
    return Claim(f"{_there(rng, amount)} {noun} {link}{words}", amount.fits(number))


def _above(rng: Random, picture: Boxes) -> Claim:
    """There is a black item above a blue item: higher in the same box."""
    upper, lower = _kind(rng, False), _kind(rng, False)
    word, turned = rng.choice((("above", False), ("over", False), ("below", True)))
    pairs = [(a, b) for box in picture.boxes for a in box for b in box if upper.fits(a) and lower.fits(b)]
    gaps = [(b.y - a.y - a.side, a.y - b.y - b.side) for a, b in pairs if a is not b]
    sure = any((down if turned else up) >= 0 for up, down in gaps)
    amount = rng.choice(("a", "at least one", "no"))
    unclear = not sure and any(max(up, down) < 0 for up, down in gaps)
    true = None if unclear else (not sure if amount == "no" else sure)
    return Claim(f"there is {amount} {upper.one} {word} a {lower.one}", true)


def _blocks_at(rng: Random, picture: Boxes) -> Claim:
    """There is exactly one black block as the base of a tower with at least two blocks."""
    amount, colour = _amount(rng, most=3), rng.choice(COLOUR_NAMES)
    place, end = rng.choice((("top", -1), ("base", 0)))
    kind = _named(colour, "block", None)
    tall = _amount(rng, most=4) if rng.random() < 0.4 else None
    known = [True if tall is None else tall.fits(len(box)) for box in picture.boxes]
    right = [box[end].colour == colour for box in picture.boxes]
    if None in known:
        return Claim("", None)
    number = sum(bool(of) and is_so for of, is_so in zip(known, right, strict=True))
    suffix = f" with {tall.words} block{'s' * tall.plural}" if tall else ""
    return Claim(f"there {_be(amount)} {_say(amount, kind)} as the {place} of a tower{suffix}", amount.fits(number))


def _be(amount: Amount) -> str:
    return "are" if amount.plural else "is"


def _on(rng: Random, picture: Boxes) -> Claim:
    """There is no yellow block on a blue block."""
    way = _pair_way(rng)
    amount = rng.choice(("a", "at least one", "no"))
    found = any(way.fits(box) for box in picture.boxes)
    words = way.words.removeprefix("with a ").removeprefix("with ")
    return Claim(f"there is {amount} {words}", not found if amount == "no" else found)


# Boxes and towers


def _pair_way(rng: Random) -> Way:
    upper, lower = rng.choice(COLOUR_NAMES), rng.choice(COLOUR_NAMES)
    word = rng.choice(("above", "over", "on", "on top of", "below"))

    def fits(box: Box) -> bool:
        pairs = zip(box[1:], box, strict=False)
        wanted = (lower, upper) if word == "below" else (upper, lower)
        return any((above.colour, under.colour) == wanted for above, under in pairs)

    return Way(f"with a {upper} block {word} a {lower} block", fits)


def _tower_way(rng: Random) -> Way | None:
    """What is said of a tower."""
    colour, other = rng.sample(COLOUR_NAMES, 2)
    place, end = rng.choice((("at the top", -1), ("at the base", 0), ("at the bottom", 0)))
    amount = _amount(rng, most=4)
    block = _named("", "block", None)
    of_colour = _named(colour, "block", None)
    choice = rng.randrange(10)
    if choice <= 1:
        return Way(f"with a {colour} block {place}", lambda box: box[end].colour == colour)
    if choice == 2:
        return _pair_way(rng)
    if choice == 3:
        return Way(f"with {_say(amount, block)}", _counted(amount, block))
    if choice == 4:
        return Way(f"with {_say(amount, of_colour)}", _counted(amount, of_colour))
    if choice == 5:
        words = rng.choice(
            (f"with only {colour} blocks", f"of only {colour} color", f"with blocks of only {colour} color")
        )
        return Way(words, lambda box: {item.colour for item in box} == {colour})
    if choice == 6:
        words = rng.choice(
            (f"with only {colour} and {other} blocks", f"with blocks of only {colour} and {other} color")
        )
        return Way(words, lambda box: {item.colour for item in box} == {colour, other})
    if choice == 7:
        words = rng.choice(
            ("with all three colors", "with blocks of all 3 colors", "with blocks of three different colors")
        )
        return Way(words, lambda box: len({item.colour for item in box}) == 3)
    if choice == 8:
        words = rng.choice(("with a single color", "with blocks of the same color", "with only one color"))
        return Way(words, lambda box: len({item.colour for item in box}) == 1)
    n = rng.randint(1, 4)
    exact = f"exactly {_number(rng, n)} block{'s' * (n > 1)}"
    words = rng.choice((f"with {exact} with a {colour} block {place}", f"with {exact} having a {colour} block {place}"))
    return Way(words, lambda box: len(box) == n and box[end].colour == colour)


def _box_way(rng: Random) -> Way | None:
    """What is said of a box."""
    amount, kind, second = _amount(rng, most=6), _kind(rng, False), _kind(rng, False)
    anything = _named("", "item" if rng.random() < 0.6 else "object", None)
    colour, other = rng.sample(COLOUR_NAMES, 2)
    n = rng.randint(1, 6)
    items = f"{_number(rng, n)} item{'s' * (n > 1)}"
    choice = rng.randrange(11)
    if choice <= 1:
        return Way(f"with {_say(amount, kind)}", _counted(amount, kind))
    if choice == 2:
        return Way(f"with {_say(amount, anything)}", _counted(amount, anything))
    if choice == 3:
        return Way(f"with a {kind.one} and a {second.one}", lambda box: _both(box, kind, second))
    if choice == 4:
        return Way(
            f"with a {kind.one} and {_say(amount, second)}",
            lambda box: _both(box, kind, second) and bool(amount.fits(_count(box, second))),
        )
    if choice == 5:
        words = rng.choice(
            ("with items of only one color", "with objects of only one color", "with all items of the same color")
        )
        return Way(words, lambda box: len({item.colour for item in box}) == 1)
    if choice == 6:
        words = rng.choice((f"with only {colour} and {other} items", f"with items of only {colour} and {other} color"))
        return Way(words, lambda box: {item.colour for item in box} == {colour, other})
    if choice == 7:
        words = rng.choice((f"with only {colour} items", f"with only {kind.many}"))
        only = _named(colour, "item", None) if colour in words.split() and "items" in words else kind
        return Way(words, lambda box: all(only.fits(item) for item in box))
    if choice == 8:
        colours = rng.randint(2, 3)
        said = "all 3" if colours == 3 and rng.random() < 0.5 else _number(rng, colours)
        return Way(
            f"with {items} of {said} different colors",
            lambda box: len(box) == n and len({item.colour for item in box}) == colours,
        )
    if choice == 9:
        k = rng.randint(1, max(1, n - 1))
        be = "is" if k == 1 else "are"
        return Way(
            f"with {items} of which {_number(rng, k)} {be} {colour}",
            lambda box: len(box) == n and sum(item.colour == colour for item in box) == k,
        )
    return Way(
        rng.choice((f"with {items} and a {colour} item on top", f"with {items} and the {colour} one is on top")),
        lambda box: len(box) == n and min(box, key=lambda item: item.y).colour == colour,
    )


def _counted(amount: Amount, kind: Kind) -> Callable[[Box], bool]:
    """A bare number of things in a box or tower means exactly so many."""

    def fits(box: Box) -> bool:
        number = amount.fits(_count(box, kind))
        return bool(number)

    return fits


def _both(box: Box, kind: Kind, second: Kind) -> bool:
    """Two different things, one of each kind."""
    return any(kind.fits(a) and second.fits(b) for a in box for b in box if a is not b)


def _containers(rng: Random, picture: Boxes) -> Claim:
    """There are at least two towers with a yellow block at the top."""
    way = _tower_way(rng) if picture.towers else _box_way(rng)
    assert way is not None
    number = sum(way.fits(box) for box in picture.boxes)
    noun, nouns = ("tower", "towers") if picture.towers else rng.choice((("box", "boxes"), ("grey box", "grey boxes")))
    words = way.words
    if words.startswith("with "):
        link = rng.choice(("with", "with", "with", "which has", "that has", "having", "that contains"))
        words = f"{link} {words.removeprefix('with ')}"
    amount = _amount(rng, most=3)
    if rng.random() < 0.15 and way.words.startswith("with "):
        n = rng.randint(1, 3)
        said = way.words.removeprefix("with ")
        verb = rng.choice(("contains", "has"))
        return Claim(f"{_number(rng, n)} of the {nouns} {verb} {said}", _bare(number, n) if n < 3 else number == 3)
    return Claim(f"{_there(rng, amount)} {nouns if amount.plural else noun} {words}", amount.fits(number))


def _each(rng: Random, picture: Boxes) -> Claim:
    """Each box has at least one yellow item."""
    kind = _kind(rng, picture.towers)
    n = rng.randint(1, 2)
    amount = f"at least {_number(rng, n)} {kind.many if n > 1 else kind.one}"
    noun = "tower" if picture.towers else "box"
    plural = "towers" if picture.towers else "boxes"
    words = rng.choice(
        (
            f"there {'are' if n > 1 else 'is'} {amount} in each {noun}",
            f"each {noun} has {amount}",
            f"each {noun} contains {amount}",
            f"all {_number(rng, 3)} {plural} have {amount}",
        )
    )
    return Claim(words, all(_count(box, kind) >= n for box in picture.boxes))


def _bases(rng: Random, picture: Boxes) -> Claim:
    """There are exactly two towers with the same height; two of the towers have a blue base."""
    colour = rng.choice(COLOUR_NAMES)
    place, end = rng.choice((("base", 0), ("top", -1)))
    n = rng.randint(1, 3)
    number = sum(box[end].colour == colour for box in picture.boxes)
    heights = [len(box) for box in picture.boxes]
    same = max(heights.count(height) for height in heights)
    if rng.random() < 0.6:
        return Claim(
            f"{_number(rng, n)} of the towers has a {colour} {place}", _bare(number, n) if n < 3 else number == 3
        )
    words = rng.choice(("with the same height", "of the same height"))
    return Claim(
        f"there are {rng.choice(('at least ', '', 'only '))}two towers {words}", None if same == 3 else same == 2
    )


_ABOUT_TOWERS = (
    _things,
    _blocks_at,
    _blocks_at,
    _on,
    _containers,
    _containers,
    _containers,
    _containers,
    _each,
    _bases,
)
_ABOUT_THINGS = (_things, _things, _touching, _touching, _touching, _touching, _above, *[_containers] * 5, _each)
