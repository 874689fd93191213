"""Questions about a scene, before any language: what is asked, of which things, and the answer.

For each kind the answer is drawn first and a question is looked for that has it, so that the question alone says as
little as possible. A thing is referred to only by words that fit no other thing of the scene. A pair of colour and
shape that is not there is named only in place of one of its own sort, seen or held out: training never reads of a
held-out pair, and elsewhere being held out does not give the answer away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from tuwen.data._scenes.world import (
    COLOURS,
    MARGIN_MIDDLE,
    MARGIN_Y,
    SHAPES,
    SIZES,
    TEXTURES,
    Attributes,
    Pair,
    Reference,
    Thing,
)

T = TypeVar("T")
Things = tuple[Thing, ...]
Told = tuple[bool, bool, bool, bool]
"""Which of size, colour, texture and shape a reference tells."""


_OPEN = Reference()


@dataclass(frozen=True, slots=True)
class Query:
    """A question: `form` says what is asked of `a` (and `b`); `answer` is a value, a number, or yes or no.

    it: the thing that is asked about where words like `the object above the circle` name it.
    """

    kind: str
    form: str
    answer: str
    a: Reference = _OPEN
    b: Reference = _OPEN
    it: Thing | None = None


Ask = Callable[[Random, Things, frozenset[Pair]], Query | None]


def queries(rng: Random, things: Things, held_out: frozenset[Pair], count: int) -> list[Query]:
    """Up to `count` different questions, of as many kinds as the scene allows.

    `held_out` are the pairs of colour and shape that training never shows.
    """
    found: list[Query] = []
    turn = int(rng.random() * len(KINDS))
    for step in range(4 * count):
        query = KINDS[(turn + 3 * step) % len(KINDS)](rng, things, held_out)
        if query and query not in found:
            found.append(query)
        if len(found) == count:
            break
    return found


def existence(rng: Random, things: Things, held_out: frozenset[Pair]) -> Query | None:
    """Is there such a thing? Where there is not, one word has been changed of a thing that is there."""
    reference = _tell(_pick(rng, things).attributes, _pick(rng, _EXISTENCE))
    if rng.random() < 0.5:
        return Query("existence", "exists", "yes", reference)
    absent = _absent(rng, things, reference, held_out)
    return Query("existence", "exists", "no", absent) if absent else None


def count(rng: Random, things: Things, held_out: frozenset[Pair]) -> Query | None:
    """How many? The number is drawn first, among those that the scene has to offer."""
    choice = rng.random()
    if choice < 0.15:
        return Query("count", "count", str(len(things)))
    told = _WORDS if choice < 0.75 else _TWO_WORDS
    by_number: dict[int, list[Reference]] = {}
    for thing in things:
        for words in told:
            reference = _tell(thing.attributes, words)
            by_number.setdefault(_count(things, reference), []).append(reference)
    number = int(rng.random() * (max(by_number) + 1))
    if number in by_number:
        return Query("count", "count", str(number), _pick(rng, by_number[number]))
    absent = _absent(rng, things, _tell(_pick(rng, things).attributes, _pick(rng, told)), held_out)
    return Query("count", "count", "0", absent) if absent else None


def _value(which: int, kind: str) -> Ask:
    def ask(rng: Random, things: Things, held_out: frozenset[Pair]) -> Query | None:
        thing = _pick(rng, things)
        reference = _reference(rng, things, thing, _HIDING[which])
        return Query(kind, kind, thing.attributes[which], reference) if reference else None

    return ask


def comparison(rng: Random, things: Things, held_out: frozenset[Pair]) -> Query | None:
    """More, fewer or as many; larger, smaller or the same size."""
    if len(things) > 1 and rng.random() < 0.5 and (query := _compare_sizes(rng, things)):
        return query
    answer = _pick(rng, ("more", "fewer", "equal") if len(things) > 1 else ("more", "fewer"))
    for _ in range(12):
        which = int(rng.random() * 4)
        here = _pick(rng, things).attributes[which]
        there = _pick(rng, things).attributes[which] if rng.random() < 0.5 else _pick(rng, _VALUES[which])
        if here == there:
            continue
        first, second = (here, there) if rng.random() < 0.5 else (there, here)
        a, b = _changed(_OPEN, which, first), _changed(_OPEN, which, second)
        if answer == _compared(_count(things, a) - _count(things, b), "fewer", "more"):
            return Query("comparison", "compare_numbers", answer, a, b)
    return None


def _compare_sizes(rng: Random, things: Things) -> Query | None:
    answer = _pick(rng, ("larger", "smaller", "equal"))
    for _ in range(4):
        first, second = _two(rng, things)
        if answer != _compared(_rank(first) - _rank(second), "smaller", "larger"):
            continue
        a = _reference(rng, things, first, _HIDING[_SIZE])
        b = _reference(rng, things, second, _HIDING[_SIZE])
        return Query("comparison", "compare_sizes", answer, a, b) if a and b else None
    return None


def _rank(thing: Thing) -> int:
    return SIZES.index(thing.attributes.size)


def _compared(difference: int, less: str, more: str) -> str:
    return "equal" if difference == 0 else more if difference > 0 else less


def relation(rng: Random, things: Things, held_out: frozenset[Pair]) -> Query | None:
    """Where a thing is, what stands beside it or at the far end, and on which side of another a thing is."""
    upright = rng.random() < 0.5
    choice = rng.random()
    if choice < _PLACE:
        return _place(rng, things, upright)
    if len(things) < 2:
        return None
    if choice < _PLACE + _EXTREME:
        return _extreme(rng, things, upright)
    if choice < _PLACE + _EXTREME + _BESIDE:
        return _beside(rng, things, upright)
    first, second = _two(rng, things)
    gap = second.y - first.y if upright else second.x - first.x
    if upright and abs(gap) < MARGIN_Y:
        return None
    a, b = _reference(rng, things, first, _REFERENCES), _reference(rng, things, second, _REFERENCES)
    if a is None or b is None:
        return None
    form = "vertical" if upright else "horizontal"
    return Query("relation", form, _SIDES[upright][gap < 0], a, b)


def _place(rng: Random, things: Things, upright: bool) -> Query | None:
    """In which half of the picture is it?"""
    thing = _pick(rng, things)
    off = (thing.y if upright else thing.x) - 0.5
    reference = _reference(rng, things, thing, _REFERENCES)
    if reference is None or abs(off) < MARGIN_MIDDLE:
        return None
    form, answers = ("level", ("top", "bottom")) if upright else ("side", ("left", "right"))
    return Query("relation", form, answers[off > 0], reference)


def _beside(rng: Random, things: Things, upright: bool) -> Query | None:
    """What is the only thing on one side of another like?"""
    thing = _pick(rng, things)
    gaps = [(other.y - thing.y if upright else other.x - thing.x, other) for other in things if other is not thing]
    if upright and min(abs(gap) for gap, _ in gaps) < MARGIN_Y:
        return None
    after = rng.random() < 0.5
    there = [other for gap, other in gaps if (gap > 0) == after]
    reference = _reference(rng, things, thing, _REFERENCES)
    if reference is None or len(there) != 1:
        return None
    asked, which = (("colour", _COLOUR), ("shape", _SHAPE))[int(rng.random() * 2)]
    return Query("relation", f"{_SIDES[upright][after]}_{asked}", there[0].attributes[which], reference, it=there[0])


def _extreme(rng: Random, things: Things, upright: bool) -> Query | None:
    ranked = sorted(things, key=_height) if upright else list(things)
    if rng.random() < 0.5:
        end, outer, inner = ("topmost" if upright else "leftmost"), ranked[0], ranked[1]
    else:
        end, outer, inner = ("bottommost" if upright else "rightmost"), ranked[-1], ranked[-2]
    if upright and abs(outer.y - inner.y) < MARGIN_Y:
        return None
    asked, which = (("colour", _COLOUR), ("shape", _SHAPE))[int(rng.random() * 2)]
    return Query("relation", f"{end}_{asked}", outer.attributes[which], it=outer)


def _reference(rng: Random, things: Things, thing: Thing, allowed: tuple[Told, ...]) -> Reference | None:
    """Words that fit this thing and no other; None where there are none."""
    start = int(rng.random() * len(allowed))
    for told in allowed[start:] + allowed[:start]:
        reference = _tell(thing.attributes, told)
        if _count(things, reference) == 1:
            return reference
    return None


def _absent(rng: Random, things: Things, reference: Reference, held_out: frozenset[Pair]) -> Reference | None:
    """The reference with one word changed, so that it fits nothing; None where no such change was found."""
    told = [which for which in range(4) if reference[which]]
    sort = (reference.colour, reference.shape) in held_out
    for _ in range(40):
        which = told[int(rng.random() * len(told))]
        other = _changed(reference, which, _pick(rng, _VALUES[which]))
        if ((other.colour, other.shape) in held_out) == sort and not _count(things, other):
            return other
    return None


def _count(things: Things, reference: Reference) -> int:
    number = 0
    for thing in things:
        number += reference.fits(thing.attributes)
    return number


def _tell(attributes: Attributes, told: Told) -> Reference:
    size, colour, texture, shape = attributes
    return Reference(
        size if told[0] else None, colour if told[1] else None, texture if told[2] else None, shape if told[3] else None
    )


def _changed(reference: Reference, which: int, value: str | None) -> Reference:
    told = list(reference)
    told[which] = value
    return Reference(*told)


def _two(rng: Random, things: Things) -> tuple[Thing, Thing]:
    first = int(rng.random() * len(things))
    second = int(rng.random() * (len(things) - 1))
    return things[first], things[second + (second >= first)]


def _height(thing: Thing) -> float:
    return thing.y


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"


def _pick(rng: Random, options: tuple[T, ...] | list[T]) -> T:
    return options[int(rng.random() * len(options))]


def _telling(*words: str) -> Told:
    return "size" in words, "colour" in words, "texture" in words, "shape" in words


_PLACE, _EXTREME, _BESIDE = 0.2, 0.2, 0.25
"""Shares of these among the questions about relations; the rest ask on which side of another a thing is."""
_SIDES = (("left", "right"), ("above", "below"))
_SIZE, _COLOUR, _TEXTURE, _SHAPE = range(4)
_VALUES = (SIZES, COLOURS, TEXTURES, SHAPES)
_WORDS = (_telling("size"), _telling("colour"), _telling("texture"), _telling("shape"))
_TWO_WORDS = (_telling("size", "shape"), _telling("texture", "shape"), _telling("colour", "shape"))
_EXISTENCE = (
    _telling("colour", "shape"),
    _telling("colour", "shape"),
    _telling("shape"),
    _telling("colour"),
    _telling("texture", "shape"),
    _telling("size", "colour", "shape"),
)
_REFERENCES = (
    _telling(),
    _telling("shape"),
    _telling("colour"),
    _telling("colour", "shape"),
    _telling("texture", "shape"),
    _telling("size", "shape"),
    _telling("size", "colour"),
    _telling("colour", "texture"),
    _telling("size", "colour", "shape"),
    _telling("size", "colour", "texture", "shape"),
)
_HIDING = tuple(tuple(told for told in _REFERENCES if not told[which]) for which in range(4))
"""The references that leave out what is asked for."""
KINDS: tuple[Ask, ...] = (
    existence,
    count,
    _value(_COLOUR, "colour"),
    _value(_SHAPE, "shape"),
    comparison,
    relation,
    _value(_SIZE, "size"),
    _value(_TEXTURE, "texture"),
)
