"""What the two languages have in common: phrases for things, canonical captions and their way back, word choice.

A language is data and a few small functions of its grammar; `english.py` and `chinese.py` hold one each, and nothing
else knows of either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from random import Random
from typing import TypeVar

from tuwen.data._scenes.questions import Query
from tuwen.data._scenes.world import COLOURS, MARGIN_Y, SHAPES, SIZES, TEXTURES, Attributes, Reference, Thing

P = TypeVar("P")
Words = Mapping[str, tuple[str, ...]]
Mentions = Mapping[str, tuple[int, int]]
"""Which words of a question name its `a`, its `b` and `it`: their first character, and the one behind their last."""


@dataclass(frozen=True, slots=True)
class Noun:
    """A reference in the forms that texts need: `red circle`, `a red circle`, `the red circle`, `red circles`."""

    bare: str
    one: str
    the: str
    many: str


@dataclass(frozen=True)
class Language:
    """One language.

    code: `en`, `zh`.
    words: every attribute value's words, the canonical one first; `thing` is what has no shape named.
    textures_after: for textures, what may be said after the shape instead (`with stripes`).
    adjective_orders: orders of size, colour and texture, as indices, that a paraphrase may take.
    phrase: adjectives, a shape and what comes after it, to a phrase with its article or measure word.
    noun: words and a reference, to its forms.
    join, split: phrases to a list, and back.
    captions: by number of things, sentences with `{list}`, `{reversed}`, or phrases by number from left to right.
    above: sentences for two things of which `{0}` is above `{1}`.
    questions: by form, sentences with the `Noun`s `{a}` and `{b}`; `[...]` stands around words for what is asked about.
    answers: the words for answers that are not the canonical word of an attribute.
    """

    code: str
    words: Words
    textures_after: Words
    adjective_orders: tuple[tuple[int, int, int], ...]
    phrase: Callable[[list[str], str, str], str]
    noun: Callable[[Words, Reference], Noun]
    join: Callable[[list[str]], str]
    split: Callable[[str], list[str]]
    captions: Mapping[int, tuple[str, ...]]
    above: tuple[str, ...]
    questions: Mapping[str, tuple[str, ...]]
    answers: Mapping[str, str]
    _phrases: dict[Attributes, str] = field(default_factory=dict)
    _nouns: dict[Reference, Noun] = field(default_factory=dict)
    _meanings: dict[str, Attributes] = field(default_factory=dict)

    def describe(self, attributes: Attributes) -> str:
        """The canonical phrase for a thing; a solid texture is left unsaid."""
        known = self._phrases.get(attributes)
        if known is None:
            size, colour, texture, shape = attributes
            told = (size, colour) if texture == "solid" else (size, colour, texture)
            known = self.phrase([self.words[value][0] for value in told], self.words[shape][0], "")
            self._phrases[attributes] = known
        return known

    def refer(self, reference: Reference) -> Noun:
        """The forms of a reference."""
        known = self._nouns.get(reference)
        if known is None:
            known = self._nouns[reference] = self.noun(self.words, reference)
        return known

    def caption(self, things: tuple[Thing, ...], describe_texture: bool = True) -> str:
        """The canonical caption: every thing from left to right."""
        return self.join([self.describe(_said(thing, describe_texture)) for thing in things])

    def reword(self, rng: Random, thing: Thing, describe_texture: bool = True) -> str:
        """A phrase for a thing in other words and another order."""
        size, colour, texture, shape = thing.attributes
        words = [_pick(rng, self.words[size]), _pick(rng, self.words[colour]), ""]
        after = ""
        if describe_texture and (texture != "solid" or rng.random() < 0.25):
            if texture in self.textures_after and rng.random() < 0.4:
                after = _pick(rng, self.textures_after[texture])
            else:
                words[2] = _pick(rng, self.words[texture])
        order = self.adjective_orders[int(rng.random() * len(self.adjective_orders))]
        return self.phrase([words[i] for i in order if words[i]], _pick(rng, self.words[shape]), after)

    def paraphrase(self, rng: Random, things: tuple[Thing, ...], describe_texture: bool = True) -> str:
        """A caption in other words that is true of the scene and tells every thing."""
        phrases = [self.reword(rng, thing, describe_texture) for thing in things]
        if len(things) == 2 and rng.random() < 0.25 and (stacked := _stacked(things)):
            return _pick(rng, self.above).format(*(phrases[i] for i in stacked))
        template = _pick(rng, self.captions[len(things)])
        if "{list}" in template:
            return template.format(list=self.join(phrases))
        if "{reversed}" in template:
            return template.format(reversed=self.join(phrases[::-1]))
        return template.format(*phrases)

    def enumerate(self, references: Sequence[Reference]) -> str:
        """`a red circle and a large star`."""
        return self.join([self.refer(reference).one for reference in references])

    def question(self, rng: Random, query: Query) -> tuple[str, Mentions]:
        """The question in words, and which of them name things."""
        text, opened = "", 0
        mentions: dict[str, tuple[int, int]] = {}
        references = {"a": query.a, "b": query.b}
        for name, form, bracket, words in _pieces(_pick(rng, self.questions[query.form])):
            start = len(text)
            text += getattr(self.refer(references[name]), form) if name else words
            if name:
                mentions[name] = (start, len(text))
            elif bracket == "[":
                opened = start
            elif bracket == "]":
                mentions["it"] = (opened, start)
        return text, mentions

    def answer(self, value: str) -> str:
        """The word for an answer."""
        return self.answers.get(value) or self.words[value][0]

    def prompt(self, colour: str, shape: str) -> str:
        """`a red circle`, `一个红色的圆形`: a text for a class."""
        return self.refer(Reference(colour=colour, shape=shape)).one

    def name(self, colour: str, shape: str) -> str:
        """`red circle`, `红色的圆形`: the name of a class."""
        return self.refer(Reference(colour=colour, shape=shape)).bare

    def parse(self, caption: str) -> list[Attributes | None]:
        """What a canonical caption says, thing by thing from left to right; None for a phrase that says nothing known.

        A texture that is left unsaid reads as solid.
        """
        if not self._meanings:
            every = (Attributes(*values) for values in product(SIZES, COLOURS, TEXTURES, SHAPES))
            self._meanings.update((self.describe(attributes), attributes) for attributes in every)
        return [self._meanings.get(phrase) for phrase in self.split(caption)]


@cache
def _pieces(template: str) -> list[tuple[str, str, str, str]]:
    """A question piece by piece, each a noun (its name and form), a bracket or words; what it is not is empty."""
    return re.findall(r"\{(\w)\.(\w+)\}|([\[\]])|([^{\[\]]+)", template)


def _said(thing: Thing, describe_texture: bool) -> Attributes:
    return thing.attributes if describe_texture else thing.attributes._replace(texture="solid")


def _stacked(things: tuple[Thing, ...]) -> tuple[int, int] | None:
    """Which of two things is above which, or None where that is not clear."""
    first, second = things
    if abs(first.y - second.y) < MARGIN_Y:
        return None
    return (0, 1) if first.y < second.y else (1, 0)


def _pick(rng: Random, options: Sequence[P]) -> P:
    return options[int(rng.random() * len(options))]
