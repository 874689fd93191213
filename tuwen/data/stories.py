"""`stories`: longer texts about several things of the world of `scenes`, in English and Chinese, and what is asked.

Each sample asks one thing, and the prompt alone tells what:

    sentiment     the mood in which a story ends                  → happy
    summary       what was found in a story                       → a small red circle and a large blue star
    illustrated   the same, where the picture shows one of them   → a small red circle and a large blue star
    number        how far from the left the thing of a picture is → 37

Some pairs of colour and shape are held out, as in `scenes`: no story tells of them.
"""

from __future__ import annotations

from random import Random
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, field_validator

from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Question, Sample
from tuwen.data import NotedSplits
from tuwen.data._scenes.world import Scene, World
from tuwen.data.scenes import LANGUAGES, Renderer

KINDS = ("sentiment", "summary", "illustrated", "number")
SPLITS = ("train", "test")
HAPPY, SAD = 0, 1
Count = Annotated[int, Field(ge=1, le=6)]


class Telling(NamedTuple):
    """How a language tells stories.

    begin, found, seen: sentences about `{name}`, a `{place}` and a `{thing}`; `seen` leaves the thing to the picture.
    ends: sentences that end a story happily, and sadly. moods: what these are called.
    mood, sum_up: ask about a `{story}`. left: asks for a number. between: what stands between sentences.
    """

    names: tuple[str, ...]
    places: tuple[str, ...]
    begin: tuple[str, ...]
    found: tuple[str, ...]
    seen: str
    ends: tuple[tuple[str, ...], tuple[str, ...]]
    moods: tuple[str, str]
    mood: str
    sum_up: str
    left: str
    between: str


TELLINGS = {
    "en": Telling(
        names=("Mia", "Tom", "Lena", "Ben", "Ada", "Max"),
        places=("garden", "forest", "beach", "market", "attic", "park"),
        begin=(
            "{name} went to the {place}.",
            "One day {name} was in the {place}.",
            "In the {place} {name} looked around.",
        ),
        found=(
            "{name} found {thing}.",
            "Behind a door lay {thing}.",
            "Then there was {thing}.",
            "Somebody had lost {thing}.",
        ),
        seen="{name} also found what the picture shows.",
        ends=(
            (
                "{name} laughed all the way home.",
                "It was a wonderful day.",
                "Nobody was sorry.",
                "{name} did not cry at all.",
            ),
            (
                "{name} cried all the way home.",
                "It was a terrible day.",
                "Nobody was glad.",
                "{name} did not laugh at all.",
            ),
        ),
        moods=("happy", "sad"),
        mood="mood: {story}",
        sum_up="sum up: {story}",
        left="how far from the left, in hundredths?",
        between=" ",
    ),
    "zh": Telling(
        names=("小米", "小明", "丽娜", "阿本", "阿达", "小强"),
        places=("花园", "森林", "海边", "集市", "阁楼", "公园"),
        begin=("{name}去了{place}。", "有一天，{name}在{place}里。", "在{place}里，{name}四处张望。"),
        found=("{name}找到了{thing}。", "门后面有{thing}。", "接着出现了{thing}。", "有人丢了{thing}。"),
        seen="{name}还找到了图中的东西。",
        ends=(
            ("{name}一路笑着回家。", "这是美好的一天。", "没有人难过。", "{name}一点也没有哭。"),
            ("{name}一路哭着回家。", "这是糟糕的一天。", "没有人高兴。", "{name}一点也没有笑。"),
        ),
        moods=("高兴", "难过"),
        mood="心情：{story}",
        sum_up="概括：{story}",
        left="离左边多远（百分之几）？",
        between="",
    ),
}


class Config(PartConfig):
    """What is told and asked.

    things: fewest and most things in a story. languages: of the stories, one each.
    size: side of the pictures, in pixels. seed, holdout: of the world of `scenes`.
    sentiment, summary, illustrated, number: how often each is asked, as weights.
    train_stories, test_stories: how many there are.
    """

    things: tuple[Count, Count] = (2, 3)
    languages: tuple[Literal["en", "zh"], ...] = Field(default=("en", "zh"), min_length=1)
    size: int = Field(default=64, ge=32, le=2048)
    seed: int = Field(default=0, ge=0)
    holdout: float = Field(default=0.2, ge=0, le=0.5)
    sentiment: float = Field(default=1.0, ge=0)
    summary: float = Field(default=1.0, ge=0)
    illustrated: float = Field(default=1.0, ge=0)
    number: float = Field(default=1.0, ge=0)
    train_stories: int = Field(default=1_000_000, ge=1, lt=2**40)
    test_stories: int = Field(default=1_000, ge=1, lt=2**40)

    @field_validator("things")
    @classmethod
    def _in_order(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] > value[1]:
            raise ValueError("give the fewest things first, then the most")
        return value

    @field_validator("number")
    @classmethod
    def _some_kind(cls, value: float, info: Any) -> float:
        if not value and not any(info.data.get(kind) for kind in KINDS):
            raise ValueError(f"give a weight above 0 to one of {', '.join(KINDS)}")
        return value


class Stories:
    """A source: story `i` is a function of the seed, the split and `i` alone."""

    def __init__(self, config: Config, split: str) -> None:
        self.config, self.split = config, split
        self.world = World((1, 1), config.seed, config.holdout)
        self.render = Renderer(config.size)

    def __len__(self) -> int:
        return self.config.train_stories if self.split == "train" else self.config.test_stories

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"story {index} of {self.split}: there are {len(self)}")
        rng = Random((self.config.seed * len(SPLITS) + SPLITS.index(self.split)) << 40 | index)
        language = rng.choice(self.config.languages)
        kind = rng.choices(KINDS, [getattr(self.config, name) for name in KINDS])[0]
        scenes = [self.world.scene(rng) for _ in range(rng.randint(*self.config.things))]
        shown = scenes[rng.randrange(len(scenes))] if kind in ("illustrated", "number") else None
        text, answer = self._ask(rng, kind, TELLINGS[language], language, scenes, shown)
        return Sample(
            f"stories/{self.split}/{index}",
            image=None if shown is None else self.render(shown),
            questions=(Question(text, answer, kind, language),),
        )

    def _ask(
        self, rng: Random, kind: str, telling: Telling, language: str, scenes: list[Scene], shown: Scene | None
    ) -> tuple[str, str]:
        """What is asked, and the answer."""
        if kind == "number":
            assert shown is not None
            return telling.left, str(round(100 * shown.things[0].x))
        things = [LANGUAGES[language].describe(scene.things[0].attributes) for scene in scenes]
        hidden = None if shown is None else scenes.index(shown)
        mood = rng.choice((HAPPY, SAD))
        story = self._tell(rng, telling, things, hidden, mood)
        if kind == "sentiment":
            return telling.mood.format(story=story), telling.moods[mood]
        return telling.sum_up.format(story=story), LANGUAGES[language].join(things)

    def _tell(self, rng: Random, telling: Telling, things: list[str], hidden: int | None, mood: int) -> str:
        """A story in which the things are found in their order; the hidden one is left to the picture."""
        name, place = rng.choice(telling.names), rng.choice(telling.places)
        found = [telling.seen if number == hidden else rng.choice(telling.found) for number in range(len(things))]
        sentences = [rng.choice(telling.begin), *found, rng.choice(telling.ends[mood])]
        said = ["", *things, ""]
        return telling.between.join(
            one.format(name=name, place=place, thing=thing) for one, thing in zip(sentences, said, strict=True)
        )


def build(config: Config, context: Any = None) -> NotedSplits:
    """`train` and `test`."""
    return NotedSplits({split: Stories(config, split) for split in SPLITS})
