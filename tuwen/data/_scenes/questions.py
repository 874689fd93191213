"""Questions about a scene, before any language: what is asked, of which things, and the answer.

For each kind the answer is drawn first and a question is looked for that has it, so that the question alone says as
little as possible. A thing is referred to only by what tells it from all others; a colour and a shape are named
together only where the split may show them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from tuwen.data._scenes.world import COLOURS, MARGIN_Y, SHAPES, SIZES, TEXTURES, Attributes, Pair, Thing

T = TypeVar("T")
VALUES = (SIZES, COLOURS, TEXTURES, SHAPES)
NOTHING = Attributes()
_SIZE, _COLOUR, _TEXTURE, _SHAPE = range(4)
_REFERENCES: tuple[tuple[int, ...], ...] = (
    (),
    (_SHAPE,),
    (_COLOUR,),
    (_COLOUR, _SHAPE),
    (_COLOUR, _SHAPE),
    (_TEXTURE, _SHAPE),
    (_SIZE, _SHAPE),
    (_SIZE, _COLOUR),
    (_COLOUR, _TEXTURE),
    (_SIZE, _COLOUR, _SHAPE),
    (_SIZE, _COLOUR, _TEXTURE, _SHAPE),
)
"""What a reference may tell; a thing gets one of those that fit it alone."""
_EXISTENCE = ((_COLOUR, _SHAPE), (_COLOUR, _SHAPE), (_SHAPE,), (_COLOUR,), (_TEXTURE, _SHAPE), (_SIZE, _COLOUR, _SHAPE))


@dataclass(frozen=True, slots=True)
class Query:
    """A question: `form` says what is asked of `a` (and `b`); `answer` is a value, a number or yes or no."""

    kind: str
    form: str
    answer: str
    a: Attributes = NOTHING
    b: Attributes = NOTHING


Things = tuple[Thing, ...]
Ask = Callable[[Random, Things, frozenset[Pair]], "Query | None"]


def queries(rng: Random, things: Things, pairs: frozenset[Pair], count: int) -> list[Query]:
    """`count` questions of as many kinds as the scene allows; `pairs` are those that may be named."""
    found: list[Query] = []
    turn = int(rng.random() * len(KINDS))
    for step in range(4 * count):
        if len(found) == count:
            break
        query = KINDS[(turn + 3 * step) % len(KINDS)](rng, things, pairs)
        if query and query not in found:
            found.append(query)
    return found


def existence(rng: Random, things: Things, pairs: frozenset[Pair]) -> Query | None:
    """Is there such a thing? Where there is not, one word has been changed on a thing that is there."""
    told = _EXISTENCE[int(rng.random() * len(_EXISTENCE))]
    reference = _tell(_pick(rng, things).attributes, told)
    if rng.random() < 0.5:
        return Query("existence", "exists", "yes", reference)
    for _ in range(8):
        which = told[int(rng.random() * len(told))]
        other = _changed(reference, which, _pick(rng, VALUES[which]))
        if _count(things, other) == 0 and (other.colour is None or other.shape is None or other[1::2] in pairs):
            return Query("existence", "exists", "no", other)
    return None


def count(rng: Random, things: Things, pairs: frozenset[Pair]) -> Query | None:
    """How many? The number is drawn first, among those that some single word gives in this scene."""
    if rng.random() < 0.15:
        return Query("count", "count", str(len(things)))
    by_number: dict[int, list[Attributes]] = {}
    for which in range(4):
        values = [thing.attributes[which] for thing in things]
        for value in set(values):
            by_number.setdefault(values.count(value), []).append(_changed(NOTHING, which, value))
    number = int(rng.random() * (max(by_number) + 1))
    if number in by_number:
        references = sorted(by_number[number], key=str)
        return Query("count", "count", str(number), references[int(rng.random() * len(references))])
    which = int(rng.random() * 4)
    for _ in range(8):
        reference = _changed(NOTHING, which, _pick(rng, VALUES[which]))
        if _count(things, reference) == 0:
            return Query("count", "count", "0", reference)
    return None


def _asking(which: int, kind: str) -> Ask:
    def ask(rng: Random, things: Things, pairs: frozenset[Pair]) -> Query | None:
        thing = _pick(rng, things)
        reference = _reference(rng, things, thing, hidden=which)
        return None if reference is None else Query(kind, kind, thing.attributes[which] or "", reference)

    return ask


def comparison(rng: Random, things: Things, pairs: frozenset[Pair]) -> Query | None:
    """More, fewer, as many; larger, smaller, the same size."""
    if len(things) > 1 and rng.random() < 0.4:
        return _sizes(rng, things)
    form = ("more", "fewer", "equal")[int(rng.random() * (3 if len(things) > 1 else 2))]
    answer = "yes" if rng.random() < 0.5 else "no"
    for _ in range(8):
        which = int(rng.random() * 4)
        here, there = _pick(rng, things).attributes[which], _pick(rng, VALUES[which])
        if here == there:
            continue
        a, b = _changed(NOTHING, which, here), _changed(NOTHING, which, there)
        if rng.random() < 0.5:
            a, b = b, a
        first, second = _count(things, a), _count(things, b)
        truth = {"more": first > second, "fewer": first < second, "equal": first == second}[form]
        if truth == (answer == "yes"):
            return Query("comparison", form, answer, a, b)
    return None


def _sizes(rng: Random, things: Things) -> Query | None:
    first, second = _two(rng, things)
    a, b = (_reference(rng, things, thing, hidden=_SIZE) for thing in (first, second))
    if a is None or b is None:
        return None
    sizes = first.attributes.size, second.attributes.size
    if rng.random() < 0.5:
        return Query("comparison", "same_size", "yes" if sizes[0] == sizes[1] else "no", a, b)
    if sizes[0] == sizes[1]:
        return None
    form = SIZES[int(rng.random() * 2)]
    return Query("comparison", "larger" if form == "large" else "smaller", "yes" if sizes[0] == form else "no", a, b)


def relation(rng: Random, things: Things, pairs: frozenset[Pair]) -> Query | None:
    """Left of, right of, above, below; and what stands at the far end."""
    if len(things) < 2:
        return None
    upright = rng.random() < 0.5
    if rng.random() < 0.3:
        return _extreme(rng, things, upright)
    first, second = _two(rng, things)
    gap = second.y - first.y if upright else second.x - first.x
    if upright and abs(gap) < MARGIN_Y:
        return None
    a, b = _reference(rng, things, first), _reference(rng, things, second)
    if a is None or b is None:
        return None
    before = rng.random() < 0.5
    form = (("above", "below") if upright else ("left", "right"))[0 if before else 1]
    return Query("relation", form, "yes" if (gap > 0) == before else "no", a, b)


def _extreme(rng: Random, things: Things, upright: bool) -> Query | None:
    ranked = sorted(things, key=lambda thing: thing.y) if upright else list(things)
    last = rng.random() < 0.5
    if upright and abs(ranked[-1 if last else 0].y - ranked[-2 if last else 1].y) < MARGIN_Y:
        return None
    end = (("topmost", "bottommost") if upright else ("leftmost", "rightmost"))[last]
    asked = ("colour", "shape")[int(rng.random() * 2)]
    attributes = ranked[-1 if last else 0].attributes
    return Query("relation", f"{end}_{asked}", (attributes.colour if asked == "colour" else attributes.shape) or "")


KINDS: tuple[Ask, ...] = (
    existence,
    count,
    _asking(_COLOUR, "colour"),
    _asking(_SHAPE, "shape"),
    comparison,
    relation,
    _asking(_SIZE, "size"),
    _asking(_TEXTURE, "texture"),
)


def _reference(rng: Random, things: Things, thing: Thing, hidden: int = -1) -> Attributes | None:
    """Words that fit this thing and no other, without the one that is asked for; None where there are none."""
    start = int(rng.random() * len(_REFERENCES))
    for step in range(len(_REFERENCES)):
        told = _REFERENCES[(start + step) % len(_REFERENCES)]
        if hidden not in told:
            reference = _tell(thing.attributes, told)
            if _count(things, reference) == 1:
                return reference
    return None


def _count(things: Things, reference: Attributes) -> int:
    return sum(reference.fits(thing.attributes) for thing in things)


def _tell(attributes: Attributes, told: tuple[int, ...]) -> Attributes:
    return Attributes(*(value if which in told else None for which, value in enumerate(attributes)))


def _changed(reference: Attributes, which: int, value: str | None) -> Attributes:
    return Attributes(*(value if i == which else old for i, old in enumerate(reference)))


def _two(rng: Random, things: Things) -> tuple[Thing, Thing]:
    first = int(rng.random() * len(things))
    second = int(rng.random() * (len(things) - 1))
    return things[first], things[second + (second >= first)]


def _pick(rng: Random, options: tuple[T, ...]) -> T:
    return options[int(rng.random() * len(options))]
