"""`scenes`: one procedural world for every task, endless and the same from the same seed.

One to four things, each with a size, a colour, a texture and a shape, on a pale background; with captions, questions
and answers in English and Chinese, boxes with phrases, and a class where there is only one thing. Some pairs of colour
and shape are held out: `train` and `test` never show or name them, `held_out` always shows one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Box, Caption, Choice, Phrase, Question, Rectangle, Sample
from tuwen.data import NotedSplits
from tuwen.data._scenes.chinese import CHINESE
from tuwen.data._scenes.english import ENGLISH
from tuwen.data._scenes.foils import brief, foils
from tuwen.data._scenes.language import Language
from tuwen.data._scenes.questions import Query, Things, queries
from tuwen.data._scenes.render import Renderer
from tuwen.data._scenes.shapes import box
from tuwen.data._scenes.world import (
    COLOURS,
    SHAPES,
    SIZES,
    TEXTURES,
    Attributes,
    Background,
    Pair,
    Reference,
    Scene,
    Thing,
    World,
)

__all__ = [
    "COLOURS",
    "LANGUAGES",
    "SHAPES",
    "SIZES",
    "TEXTURES",
    "Attributes",
    "Background",
    "Config",
    "Query",
    "Reference",
    "Renderer",
    "Scene",
    "Scenes",
    "Thing",
    "World",
    "box",
    "build",
    "class_names",
    "class_prompts",
]

LANGUAGES: dict[str, Language] = {language.code: language for language in (ENGLISH, CHINESE)}
Named = Mapping[str, tuple[Rectangle, ...]]
_SPLITS = ("train", "test", "held_out")


class Config(PartConfig):
    """What the world is like.

    size: side of the pictures, in pixels.
    objects: fewest and most things in a scene.
    seed: decides every scene, and which pairs are held out.
    holdout: share of all pairs of colour and shape that only the split `held_out` shows; 0 for no such split.
    languages: which languages the texts are in.
    describe_texture: whether captions tell the texture (a solid one is left unsaid).
    paraphrases: further captions of a scene, in each language.
    brief: share of these that tell only some attributes: `a circle`, `a red circle`, as the texts of classes do.
    questions: questions about a scene, the same ones in each language.
    phrases: whether questions say which of their words name things, and where these are.
    foils: texts of which one word is false, beside a brief true one, in each language.
    train_scenes, test_scenes: how many scenes `train` has, and `test` and `held_out` each.
    """

    size: int = Field(64, ge=32, le=2048)
    objects: tuple[Annotated[int, Field(ge=1, le=4)], Annotated[int, Field(ge=1, le=4)]] = (1, 3)
    seed: int = Field(0, ge=0)
    holdout: float = Field(0.2, ge=0, le=0.5)
    languages: tuple[Literal["en", "zh"], ...] = Field(("en", "zh"), min_length=1)
    describe_texture: bool = True
    paraphrases: int = Field(1, ge=0, le=16)
    brief: float = Field(0.25, ge=0, le=1)
    questions: int = Field(2, ge=0, le=16)
    phrases: bool = False
    foils: int = Field(0, ge=0, le=8)
    train_scenes: int = Field(1_000_000, ge=1, lt=2**40)
    test_scenes: int = Field(2_000, ge=1, lt=2**40)

    @field_validator("objects")
    @classmethod
    def _in_order(cls, objects: tuple[int, int]) -> tuple[int, int]:
        if objects[0] > objects[1]:
            raise ValueError("give the fewest things first, then the most")
        return objects

    @field_validator("languages")
    @classmethod
    def _each_once(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(languages)) < len(languages):
            raise ValueError("name each language once")
        return languages


def build(config: Config, context: Any = None) -> NotedSplits:
    """`train` and `test`, and `held_out` unless nothing is held out."""
    world = World(config.objects, config.seed, config.holdout)
    names = _SPLITS if world.held_out_pairs else _SPLITS[:2]
    held_out = ", ".join(" ".join(pair) for pair in sorted(world.held_out_pairs)) or "nothing"
    labels = class_names()
    return NotedSplits(
        {name: Scenes(config, world, name) for name in names},
        notes=[f"only the split held_out shows: {held_out}"],
        labels=labels,
        class_texts={code: dict(zip(labels, class_prompts(code), strict=True)) for code in config.languages},
    )


class Scenes:
    """A source: scene `i` is a function of the seed, the split and `i` alone.

    held_out_pairs: the pairs of colour and shape that training never shows.
    """

    def __init__(self, config: Config, world: World, split: str) -> None:
        self.config = config
        self.world = world
        self.split = split
        self.held_out_pairs: frozenset[Pair] = world.held_out_pairs
        self.render = Renderer(config.size)
        self._languages = [LANGUAGES[code] for code in config.languages]
        self._length = config.train_scenes if split == "train" else config.test_scenes

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        rng = self._rng(index)
        scene = self._draw(rng)
        return self.sample(f"scenes/{self.split}/{index}", scene, rng)

    def scene(self, index: int) -> Scene:
        """What is in picture `index`."""
        return self._draw(self._rng(index))

    def sample(self, key: str, scene: Scene, rng: Random) -> Sample:
        """The picture of any scene and what is said about it; `rng` chooses the words."""
        things, boxes = scene.things, [_box(thing) for thing in scene.things]
        return Sample(
            key=key,
            image=self.render(scene),
            captions=self._captions(rng, things),
            questions=self._questions(rng, things, boxes),
            label=" ".join(things[0].pair) if len(things) == 1 else None,
            boxes=self._boxes(things, boxes),
            choices=self._choices(rng, things),
        )

    def _draw(self, rng: Random) -> Scene:
        return self.world.scene(rng, held_out=self.split == "held_out")

    def _rng(self, index: int) -> Random:
        if not 0 <= index < self._length:
            raise IndexError(f"scene {index} of {self.split}: there are {self._length}")
        return Random((self.config.seed * len(_SPLITS) + _SPLITS.index(self.split)) << 40 | index)

    def _captions(self, rng: Random, things: tuple[Thing, ...]) -> tuple[Caption, ...]:
        texture = self.config.describe_texture
        captions = [Caption(language.caption(things, texture), language.code, True) for language in self._languages]
        for language in self._languages:
            for _ in range(self.config.paraphrases):
                short = rng.random() < self.config.brief
                text = language.enumerate(brief(rng, things)) if short else language.paraphrase(rng, things, texture)
                captions.append(Caption(text, language.code))
        return tuple(captions)

    def _questions(self, rng: Random, things: Things, boxes: Sequence[Rectangle]) -> tuple[Question, ...]:
        asked = queries(rng, things, self.held_out_pairs, self.config.questions)
        named = [_named(query, things, boxes) if self.config.phrases else {} for query in asked]
        return tuple(
            self._question(rng, query, language, where)
            for query, where in zip(asked, named, strict=True)
            for language in self._languages
        )

    def _question(self, rng: Random, query: Query, language: Language, named: Named) -> Question:
        text, mentions = language.question(rng, query)
        phrases = tuple(Phrase(*mentions[name], boxes) for name, boxes in named.items() if name in mentions)
        return Question(text, language.answer(query.answer), query.kind, language.code, phrases)

    def _choices(self, rng: Random, things: tuple[Thing, ...]) -> tuple[Choice, ...]:
        if not self.config.foils:
            return ()
        told = brief(rng, things)
        wrong = foils(rng, told, self.held_out_pairs, self.config.foils)
        return tuple(
            Choice(language.enumerate(told), tuple(map(language.enumerate, wrong)), language.code)
            for language in self._languages
        )

    def _boxes(self, things: Things, boxes: Sequence[Rectangle]) -> tuple[Box, ...]:
        texture = self.config.describe_texture
        return tuple(
            Box(xyxy, language.caption((thing,), texture))
            for thing, xyxy in zip(things, boxes, strict=True)
            for language in self._languages
        )


def _box(thing: Thing) -> Rectangle:
    return box(thing.attributes.shape, thing.x, thing.y, thing.radius, thing.angle)


def _named(query: Query, things: Things, boxes: Sequence[Rectangle]) -> Named:
    """The boxes of what a question's `a`, `b` and `it` name, in this order: all are compared with `a`."""
    return {
        "a": tuple(box for thing, box in zip(things, boxes, strict=True) if query.a.fits(thing.attributes)),
        "b": tuple(box for thing, box in zip(things, boxes, strict=True) if query.b.fits(thing.attributes)),
        "it": tuple(box for thing, box in zip(things, boxes, strict=True) if thing is query.it),
    }


def class_names(language: str = "en") -> list[str]:
    """The name of every class (a colour and a shape) in one order for all languages; English ones are the labels."""
    return [LANGUAGES[language].name(colour, shape) for colour in COLOURS for shape in SHAPES]


def class_prompts(language: str = "en") -> list[str]:
    """A text for every class, in the order of `class_names`, for classification without training."""
    return [LANGUAGES[language].prompt(colour, shape) for colour in COLOURS for shape in SHAPES]
