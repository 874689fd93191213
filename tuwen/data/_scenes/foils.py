"""What a brief text tells, and the same with one word that is not true."""

from __future__ import annotations

from random import Random

from tuwen.data._scenes.world import COLOURS, SHAPES, SIZES, TEXTURES, Pair, Reference, Thing

BRIEF = (
    ("colour", "shape"),
    ("colour", "shape"),
    ("shape",),
    ("shape",),
    ("texture", "shape"),
    ("size", "shape"),
    ("colour",),
    ("texture",),
)
"""What a brief text tells of the things; colour and shape are how classes are described."""

_VALUES = {"size": SIZES, "colour": COLOURS, "texture": TEXTURES, "shape": SHAPES}


def brief(rng: Random, things: tuple[Thing, ...]) -> list[Reference]:
    """Every thing from left to right by some of its attributes alone, the same ones for all."""
    told = BRIEF[int(rng.random() * len(BRIEF))]
    return [Reference(**{name: getattr(thing.attributes, name) for name in told}) for thing in things]


def foils(rng: Random, told: list[Reference], held_out: frozenset[Pair], count: int) -> list[list[Reference]]:
    """The same list with one attribute of one thing changed, `count` times and each time otherwise.

    A held-out pair of colour and shape takes the place of another such pair only, one that is not held out likewise.
    Fewer where there are not so many.
    """
    found: list[list[Reference]] = []
    for _ in range(8 * count):
        place = int(rng.random() * len(told))
        names = [name for name in _VALUES if getattr(told[place], name) is not None]
        name = names[int(rng.random() * len(names))]
        other = told[place]._replace(**{name: _VALUES[name][int(rng.random() * len(_VALUES[name]))]})
        changed = [*told[:place], other, *told[place + 1 :]]
        alike = (_pair(other) in held_out) == (_pair(told[place]) in held_out)
        if alike and changed != told and changed not in found:
            found.append(changed)
        if len(found) == count:
            break
    return found


def _pair(reference: Reference) -> tuple[str | None, str | None]:
    return reference.colour, reference.shape
