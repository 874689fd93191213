"""What is said of a box or of a tower: `with a black square and two circles`, `of only blue color`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from random import Random
from typing import NamedTuple

from tuwen.data._boxes.phrases import COLOUR_NAMES, Kind, amount, kind, named, number
from tuwen.data._boxes.world import SHAPES, TALLEST, Box, Item

ENDS = {"at the top": -1, "at the base": 0, "at the bottom": 0}
"""Which block of a tower is meant, its blocks counted from the base."""


class Way(NamedTuple):
    """The words, and the test of a box or tower."""

    words: str
    fits: Callable[[Box], bool]


Say = Callable[[Random], Way]


def of_a_tower(rng: Random) -> Way:
    """Something that a tower may be like."""
    return rng.choice(_TOWER)(rng)


def of_a_box(rng: Random) -> Way:
    """Something that a box may be like."""
    return rng.choice(_BOX)(rng)


def one_on_another(rng: Random) -> Way:
    """`with a black block on a blue block`: the one directly on the other."""
    upper, lower = rng.choice(COLOUR_NAMES), rng.choice(COLOUR_NAMES)
    word = rng.choice(("above", "over", "on", "on top of", "below"))
    wanted = (lower, upper) if word == "below" else (upper, lower)
    return Way(
        f"with a {upper} block {word} a {lower} block",
        lambda box: any((one.colour, other.colour) == wanted for one, other in zip(box[1:], box, strict=False)),
    )


def _some(many: Kind | None, blocks: bool) -> Say:
    """`with exactly two black squares`. A bare number of things in a box means exactly so many."""

    def say(rng: Random) -> Way:
        how_many, what = amount(rng, most=4 if blocks else 6), many or kind(rng, blocks)
        return Way(f"with {how_many.of(what)}", lambda box: bool(how_many.fits(what.count(box))))

    return say


def _end(rng: Random) -> Way:
    colour, place = rng.choice(COLOUR_NAMES), rng.choice(tuple(ENDS))
    return Way(f"with a {colour} block {place}", lambda box: box[ENDS[place]].colour == colour)


def _height_and_end(rng: Random) -> Way:
    end, n = _end(rng), rng.randint(1, 4)
    blocks = f"exactly {number(rng, n)} block{'s' * (n > 1)}"
    link = rng.choice(("with", "having"))
    return Way(f"with {blocks} {link} {end.words.removeprefix('with ')}", lambda box: len(box) == n and end.fits(box))


def _one_colour_only(rng: Random) -> Way:
    colour = rng.choice(COLOUR_NAMES)
    forms = ("with only {} blocks", "of only {} color", "with blocks of only {} color")
    return Way(rng.choice(forms).format(colour), lambda box: _colours(box) == {colour})


def _two_colours_only(noun: str) -> Say:
    def say(rng: Random) -> Way:
        one, other = rng.sample(COLOUR_NAMES, 2)
        forms = (f"with only {one} and {other} {noun}", f"with {noun} of only {one} and {other} color")
        return Way(rng.choice(forms), lambda box: _colours(box) == {one, other})

    return say


def _all_colours(rng: Random) -> Way:
    forms = ("with all three colors", "with blocks of all 3 colors", "with blocks of three different colors")
    return Way(rng.choice(forms), lambda box: len(_colours(box)) == 3)


def _same_colour(*forms: str) -> Say:
    return lambda rng: Way(rng.choice(forms), lambda box: len(_colours(box)) == 1)


def _two_kinds(rng: Random) -> Way:
    """`with a black square and at least two circles`."""
    one, other = kind(rng), kind(rng)
    if rng.random() < 0.5:
        return Way(f"with a {one.words} and a {other.words}", lambda box: _both(box, one, other))
    how_many = amount(rng, most=4)
    return Way(
        f"with a {one.words} and {how_many.of(other)}",
        lambda box: _both(box, one, other) and bool(how_many.fits(other.count(box))),
    )


def _stacked(rng: Random) -> Way:
    """`with two black blocks stacked together`."""
    what, n = named(rng.choice(COLOUR_NAMES), "block"), rng.randint(2, 3)
    runs = [range(start, start + n) for start in range(TALLEST - n + 1)]
    return Way(
        f"with {number(rng, n)} {what.called(plural=True)} stacked together",
        lambda box: any(len(box) > run[-1] and all(what.fits(box[place]) for place in run) for run in runs),
    )


def _blocks_and_blocks(rng: Random) -> Way:
    """`with a black block and two blue blocks`: at least so many of each."""
    kinds = [named(colour, "block") for colour in rng.sample(COLOUR_NAMES, 2)]
    numbers = [rng.choice((1, 1, 2)), rng.choice((1, 2))]
    said = [f"{number(rng, n) if n > 1 else 'a'} {what.called(n > 1)}" for n, what in zip(numbers, kinds, strict=True)]
    return Way(
        f"with {' and '.join(said)}",
        lambda box: all(what.count(box) >= n for n, what in zip(numbers, kinds, strict=True)),
    )


def _three_kinds(rng: Random) -> Way:
    """`with a black square, a blue square and a yellow circle`, each another thing."""
    kinds = [named(rng.choice(COLOUR_NAMES), rng.choice((*SHAPES, "item"))) for _ in range(3)]
    return Way(
        f"with a {kinds[0].words}, a {kinds[1].words} and a {kinds[2].words}",
        lambda box: any(all(map(_is, kinds, some)) for some in permutations(box, 3)),
    )


def _is(what: Kind, item: Item) -> bool:
    return what.fits(item)


def _only_of_a_kind(rng: Random) -> Way:
    only = kind(rng)
    return Way(f"with only {only.called(plural=True)}", lambda box: all(map(only.fits, box)))


def _items(rng: Random, most: int) -> tuple[str, int]:
    """`three items`, and the number."""
    n = rng.randint(1, most)
    return f"{number(rng, n)} item{'s' * (n > 1)}", n


def _different_colours(rng: Random) -> Way:
    (items, n), colours = _items(rng, 6), rng.randint(2, 3)
    said = "all 3" if colours == 3 and rng.random() < 0.5 else number(rng, colours)
    return Way(f"with {items} of {said} different colors", lambda box: len(box) == n and len(_colours(box)) == colours)


def _of_which(rng: Random) -> Way:
    (items, n), colour = _items(rng, 6), rng.choice(COLOUR_NAMES)
    k = rng.randint(1, max(1, n - 1))
    return Way(
        f"with {items} of which {number(rng, k)} {'is' if k == 1 else 'are'} {colour}",
        lambda box: len(box) == n and sum(item.colour == colour for item in box) == k,
    )


def _on_top(rng: Random) -> Way:
    (items, n), colour = _items(rng, 6), rng.choice(COLOUR_NAMES)
    forms = (f"with {items} and a {colour} item on top", f"with {items} and the {colour} one is on top")
    return Way(rng.choice(forms), lambda box: len(box) == n and min(box, key=_height).colour == colour)


def _height(item: Item) -> int:
    return item.y


def _colours(box: Box) -> set[str]:
    return {item.colour for item in box}


def _both(box: Box, one: Kind, other: Kind) -> bool:
    """Two different things, one of each kind."""
    return any(one.fits(a) and other.fits(b) for a in box for b in box if a is not b)


_TOWER: tuple[Say, ...] = (
    _end,
    _end,
    one_on_another,
    _some(named("", "block"), blocks=True),
    _some(None, blocks=True),
    _height_and_end,
    _one_colour_only,
    _two_colours_only("blocks"),
    _all_colours,
    _stacked,
    _blocks_and_blocks,
    _same_colour("with a single color", "with blocks of the same color", "with only one color"),
)
_BOX: tuple[Say, ...] = (
    _some(None, blocks=False),
    _some(None, blocks=False),
    _some(named("", "item"), blocks=False),
    _two_kinds,
    _two_kinds,
    _three_kinds,
    _same_colour("with items of only one color", "with objects of only one color", "with all items of the same color"),
    _two_colours_only("items"),
    _only_of_a_kind,
    _different_colours,
    _of_which,
    _on_top,
)
