"""What three boxes show, as tags: how many things of which kind there are, what touches which wall, what is on what.

A sentence tells one bit of a picture, and that of a whole train of thought; its tags tell what there is to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tuwen.data._boxes.phrases import COLOUR_NAMES, named
from tuwen.data._boxes.world import SHAPES, Boxes

MOST = 5
"""Up to how many things are told apart."""
_ALIKE = [*(named("", shape) for shape in SHAPES), *(named(colour, "item") for colour in COLOUR_NAMES)]
_KINDS = [*_ALIKE, named("", "item"), *(named(colour, shape) for colour, shape in product(COLOUR_NAMES, SHAPES))]


def tags_of(picture: Boxes) -> tuple[str, ...]:
    """`2 black squares` (at least), `circle at the right`, `blue item at no wall`, `black on blue`, `yellow base`."""
    about = _of_towers(picture) if picture.towers else _of_walls(picture)
    counts = [(what, min(what.count(picture.items), MOST)) for what in _KINDS]
    return tuple(sorted({*about, *(f"{n + 1} {what.called(n > 0)}" for what, k in counts for n in range(k))}))


def _of_walls(picture: Boxes) -> Iterator[str]:
    for item in picture.items:
        yield from (f"{what.words} at the {wall}" for what in _ALIKE if what.fits(item) for wall in item.walls)
        yield f"{item.colour} {item.shape} at {'a' if item.walls else 'no'} wall"


def _of_towers(picture: Boxes) -> Iterator[str]:
    for tower in picture.boxes:
        yield f"a tower of {len(tower)}"
        yield f"{tower[0].colour} base"
        yield f"{tower[-1].colour} top"
        yield from (f"{one.colour} on {other.colour}" for one, other in zip(tower[1:], tower, strict=False))
