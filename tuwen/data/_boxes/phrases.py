"""How many, and of what kind: the phrases that sentences about three boxes are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from tuwen.data._boxes.world import COLOURS, SHAPES, SIZES, Item

COLOUR_NAMES = tuple(COLOURS)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIZED = 0.04
"""How often a thing's size is told, which people hardly ever do."""


class Amount(NamedTuple):
    """`at least two`: the words, whether the noun is plural, and the test of a number; None where opinions differ."""

    words: str
    plural: bool
    fits: Callable[[int], bool | None]

    def there(self) -> str:
        """`there are at least two`."""
        return f"there {'are' if self.plural else 'is'} {self.words}"

    def of(self, kind: Kind) -> str:
        """`at least two black squares`."""
        return f"{self.words} {kind.called(self.plural)}"


class Kind(NamedTuple):
    """`black square`: the words, and the test of a thing."""

    words: str
    fits: Callable[[Item], bool]

    def called(self, plural: bool) -> str:
        """`black squares`."""
        return self.words + "s" * plural

    def count(self, items: Sequence[Item]) -> int:
        """How many things are of this kind."""
        return sum(map(self.fits, items))


def amount(rng: Random, most: int) -> Amount:
    """`a`, `exactly two`, `at least 3`, `no`, ...; of numbers up to `most`, small ones more often."""
    n = rng.choice((1, 1, 1, 2, 2, *range(1, most + 1)))
    said = number(rng, n)
    forms: list[tuple[float, Amount]] = [
        (5, Amount(f"exactly {said}", n > 1, lambda k: k == n)),
        (2, Amount(f"only {said}", n > 1, lambda k: k == n)),
        (5, Amount(f"at least {said}", n > 1, lambda k: k >= n)),
        (4, Amount(said, n > 1, lambda k: bare(k, n))),
        (8, Amount("a", False, lambda k: k >= 1)),
        (2, Amount("no", False, lambda k: k == 0)),
        (1, Amount(f"more than {said}", True, lambda k: k > n)),
        (1, Amount(f"at most {said}", n > 1, lambda k: k <= n)),
    ]
    return rng.choices([form for _, form in forms], [weight for weight, _ in forms])[0]


def bare(k: int, n: int) -> bool | None:
    """Whether there are `n`, where there are `k`: more than `n` may be meant or not."""
    return None if k > n else k == n


def number(rng: Random, n: int) -> str:
    """`two` or `2`."""
    return NUMBERS[n] if rng.random() < 0.55 else str(n)


def kind(rng: Random, blocks: bool = False) -> Kind:
    """`black square`, `item`, or with blocks `yellow block`; three times of four with its colour."""
    colour = rng.choice(COLOUR_NAMES) if rng.random() < 0.75 else ""
    if blocks:
        return named(colour, "block")
    noun = rng.choice((*SHAPES, "item", "object"))
    size = rng.choice(tuple(SIZES)) if noun in SHAPES and rng.random() < SIZED else ""
    return named(colour, noun, size)


def named(colour: str, noun: str, size: str = "") -> Kind:
    """The things of a colour and a size, if these are not left open; `noun` is a shape, or a word for any thing."""
    return Kind(
        " ".join(word for word in (size, colour, noun) if word),
        lambda item: (
            (not colour or item.colour == colour)
            and (noun not in SHAPES or item.shape == noun)
            and (not size or item.side == SIZES[size])
        ),
    )
