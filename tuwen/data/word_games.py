"""`word_games`: texts about the things of the world of `scenes`, told in words alone, that can be learned in context.

A language model that reads them learns to use a word that it was told a moment ago, and to answer from what it was told
(after Tsimpoukelli et al. 2021, arXiv:2106.13884, where a language model of the web brings this along). No picture is
drawn: a thing stands in a text by its caption, where a picture will stand later, or by tags, since a picture's prefix
need not have the order and the length of a caption. Four kinds of text:

    lists      words in some order, and again in the same order
    names      a small red circle: dax. a large blue star: wug. a large red circle this is a dax.
    captions   a small red circle shows a small red circle. a large blue star shows a large blue star.
    questions  a small red circle question: what colour is the object? answer: red.
    by tags    circle red a circle small: dax. star blue a star large: wug. circle red a circle large: dax.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Caption, Sample
from tuwen.data import NotedSplits
from tuwen.data._scenes.questions import queries
from tuwen.data._scenes.world import SIZES, TEXTURES, Attributes, Pair, World
from tuwen.data.scenes import LANGUAGES

Tell = Callable[[Attributes], str]
Count = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
KINDS = ("lists", "names", "captions", "questions")
SPLITS = ("train", "validation")


MADE_UP_ENGLISH = """
dax blicket wug fep zav toma kiki bouba lorp gazzer modi perpo slomar plonk vash nib tulver coodle rif zorch
glim yurt pabe dulk hux snarf quib mepo jarl twib fuzzle goba klee spag worb cheem ravo lutt ogg besh
"""
MADE_UP_CHINESE = """
达克 布立 乌格 菲普 扎夫 托马 奇奇 波巴 罗普 加泽 莫迪 佩波 斯洛 普隆 瓦什 尼布 图维 库德 里夫 佐奇
格林 尤特 帕贝 杜克 胡克 纳夫 奎布 梅波 贾尔 特维 福兹 戈巴 克利 帕格 沃布 奇姆 拉沃 卢特 奥格 贝什
"""


class Game(NamedTuple):
    """How a language plays. made_up: words that mean nothing until they are told.

    article: what stands in the place of a tag and tells nothing.
    short, long: a thing and its word. asked: a thing and the question for its word. captions: a thing and its caption.
    question: a thing, a question and its answer. between: what stands between sentences, and between listed words.
    """

    made_up: tuple[str, ...]
    article: str
    short: str
    long: str
    asked: str
    captions: tuple[str, ...]
    question: str
    between: str
    listed: str


GAMES = {
    "en": Game(
        made_up=tuple(MADE_UP_ENGLISH.split()),
        article="a",
        short="{thing} {word}.",
        long="{thing} this is a {word}.",
        asked="question: {thing} what is this? answer: this is a {word}.",
        captions=("{thing} shows {caption}.", "{thing} is a picture of {caption}.", "{thing} here is {caption}."),
        question="{thing} question: {question} answer: {answer}.",
        between=" ",
        listed=" ",
    ),
    "zh": Game(
        made_up=tuple(MADE_UP_CHINESE.split()),
        article="一个",
        short="{thing}{word}。",
        long="{thing}这是{word}。",
        asked="问题：{thing}这是什么？回答：这是{word}。",
        captions=("{thing}画的是{caption}。", "{thing}是{caption}的图片。", "{thing}这里有{caption}。"),
        question="{thing}问题：{question}回答：{answer}。",
        between="",
        listed="、",
    ),
}


class Config(PartConfig):
    """What is played.

    lists, names, captions, questions: how often each kind of text comes, as weights.
    ways: fewest and most things that are named in one text. mentions: how often each is named, on average.
    short: share of the texts of names that tell a word right behind its thing.
    tags: share of the texts whose things, where pictures will stand, are told by tags: each attribute once and some
        twice, in an order that is drawn for each text and is the same for all of its things.
    tokens: fewest and most tags of a thing.
    length: fewest and most words of a list, and sentences of captions and questions.
    languages: which languages the texts are in, one each.
    seed, holdout: of the world of `scenes`; pairs of colour and shape that it holds out are never told of.
    train_texts, test_texts: how many there are.
    """

    lists: float = Field(default=1.0, ge=0)
    names: float = Field(default=4.0, ge=0)
    captions: float = Field(default=2.0, ge=0)
    questions: float = Field(default=2.0, ge=0)
    ways: Count = (2, 5)
    mentions: int = Field(default=4, ge=2)
    short: float = Field(default=0.3, ge=0, le=1)
    tags: float = Field(default=0.5, ge=0, le=1)
    tokens: tuple[Annotated[int, Field(ge=4)], Annotated[int, Field(ge=4)]] = (4, 6)
    length: Count = (1, 5)
    languages: tuple[Literal["en", "zh"], ...] = Field(default=("en", "zh"), min_length=1)
    seed: int = Field(default=0, ge=0)
    holdout: float = Field(default=0.2, ge=0, le=0.5)
    train_texts: int = Field(default=1_000_000, ge=1)
    test_texts: int = Field(default=500, ge=1)

    @field_validator("ways", "length", "tokens")
    @classmethod
    def _in_order(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] > value[1]:
            raise ValueError("give the fewest first, then the most")
        return value

    @model_validator(mode="after")
    def _some_kind(self) -> Config:
        if not any(getattr(self, kind) for kind in KINDS):
            raise ValueError(f"give a weight above 0 to one of {', '.join(KINDS)}")
        return self


class Tags:
    """Tells things by tags, all in one order: `circle red a circle small`. `rng` draws the order."""

    def __init__(self, rng: Random, language: str, tokens: Count) -> None:
        self.words, self.between = LANGUAGES[language].words, GAMES[language].between
        self.empty = GAMES[language].article
        self.plain = rng.choice([self.words["solid"][0], self.empty])
        every = [*Attributes._fields, *rng.choices([*Attributes._fields, None], k=rng.randint(*tokens) - 4)]
        self.order = rng.sample(every, len(every))

    def __call__(self, thing: Attributes) -> str:
        return self.between.join(self._tag(thing, name) for name in self.order)

    def _tag(self, thing: Attributes, name: str | None) -> str:
        if name is None:
            return self.empty
        value: str = getattr(thing, name)
        return self.plain if value == "solid" else self.words[value][0]


class WordGames:
    """A source: text `i` is a function of the seed, the split and `i` alone."""

    def __init__(self, config: Config, split: str) -> None:
        self.config, self.split = config, split
        self.world = World((1, 1), config.seed, config.holdout)
        self.pairs = sorted(self.world.seen.pairs)
        self.games: dict[str, Callable[[Random, str, Tell], list[str]]] = {
            "lists": self._list,
            "names": self._names,
            "captions": self._captions,
            "questions": self._questions,
        }

    def __len__(self) -> int:
        return self.config.train_texts if self.split == "train" else self.config.test_texts

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"text {index} of {self.split}: there are {len(self)}")
        rng = Random((self.config.seed * len(SPLITS) + SPLITS.index(self.split)) << 40 | index)
        language = rng.choice(self.config.languages)
        kind = rng.choices(KINDS, [getattr(self.config, name) for name in KINDS])[0]
        tagged = rng.random() < self.config.tags
        shown = Tags(rng, language, self.config.tokens) if tagged else LANGUAGES[language].describe
        text = GAMES[language].between.join(self.games[kind](rng, language, shown))
        return Sample(f"word_games/{self.split}/{index}", captions=(Caption(text, language),))

    def _list(self, rng: Random, language: str, shown: Tell) -> list[str]:
        words = GAMES[language]
        listed = [self._listed(rng, language, shown) for _ in range(rng.randint(3, 8))]
        return [words.listed.join(listed * max(2, 16 // len(listed)))]

    def _listed(self, rng: Random, language: str, shown: Tell) -> str:
        """A word that means nothing, or a thing."""
        return rng.choice(GAMES[language].made_up) if rng.random() < 0.7 else shown(self._thing(rng))

    def _names(self, rng: Random, language: str, shown: Tell) -> list[str]:
        """Some things are named, in any order and each several times; every thing at least once."""
        words, ways = GAMES[language], rng.randint(*self.config.ways)
        named = list(zip(rng.sample(self.pairs, ways), rng.sample(words.made_up, ways), strict=True))
        short = rng.random() < self.config.short
        order = [*named, *rng.choices(named, k=ways * (self.config.mentions - 1))]
        start = order[:ways]
        rng.shuffle(start)
        sentences = []
        for place, (pair, word) in enumerate([*start, *order[ways:]]):
            asked = not short and place >= ways and rng.random() < 0.25
            form = words.short if short else words.asked if asked else words.long
            sentences.append(form.format(thing=shown(self._like(rng, pair)), word=word))
        return sentences

    def _captions(self, rng: Random, language: str, shown: Tell) -> list[str]:
        things = [self._thing(rng) for _ in range(rng.randint(*self.config.length))]
        return [
            rng.choice(GAMES[language].captions).format(thing=shown(thing), caption=LANGUAGES[language].describe(thing))
            for thing in things
        ]

    def _questions(self, rng: Random, language: str, shown: Tell) -> list[str]:
        return [self._question(rng, language, shown) for _ in range(rng.randint(*self.config.length))]

    def _question(self, rng: Random, language: str, shown: Tell) -> str:
        """A question about a single thing, in the words of `scenes`."""
        things, words = self.world.scene(rng).things, LANGUAGES[language]
        query = queries(rng, things, self.world.held_out_pairs, 1)[0]
        return GAMES[language].question.format(
            thing=shown(things[0].attributes),
            question=words.question(rng, query)[0],
            answer=words.answer(query.answer),
        )

    def _thing(self, rng: Random) -> Attributes:
        return self._like(rng, rng.choice(self.pairs))

    def _like(self, rng: Random, pair: Pair) -> Attributes:
        """A thing of a colour and shape, of any size and texture."""
        return Attributes(rng.choice(SIZES), pair[0], rng.choice(TEXTURES), pair[1])


def build(config: Config, context: Any = None) -> NotedSplits:
    """`train` and `validation`."""
    return NotedSplits({split: WordGames(config, split) for split in SPLITS})
