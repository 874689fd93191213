"""Bind a new word to a picture from a few examples in the prompt (Tsimpoukelli et al. 2021, arXiv:2106.13884, 4.2).

    [picture] this is a dax. [picture] this is a blicket. [picture] this is a → dax

Training sees captions alone, of several pictures that stand one after the other in a text. Judging shows which link of
the chain holds: whether the language model binds when captions stand in the place of the pictures, whether a picture is
named rightly alone, whether it still is behind others, and whether words are bound to pictures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated

import numpy as np
from pydantic import Field

from tuwen.core.batch import PICTURE, Row
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Sample
from tuwen.metrics.text import exact_match
from tuwen.models.generate import Decoding
from tuwen.models.predictor import Predictor
from tuwen.models.prompts import Part, Prompt, Writer
from tuwen.prep.batches import Together
from tuwen.report.examples import PromptExample, SplitExamples, Tally
from tuwen.tasks import Task, TaskContext, blank
from tuwen.tasks._shots import canonical, open_end, own_picture, prompt_examples

Count = Annotated[int, Field(ge=1)]
Show = Callable[[Sample], Part]
CAPTION = "{caption}"
"""Where a caption stands in a sentence."""

WORD = "{word}"
"""Where a picture's word does."""


class Config(PartConfig):
    """How pictures are told of in training, and which words are bound how often when a model is judged.

    language: of the captions that are used.
    sentences: what follows a picture in training, with its `{caption}`, and ends where the text of the next begins.
    together: fewest and most captioned pictures of one text in training.
    name: what follows a picture whose word is told, with its `{word}`; the same without the word asks for it.
    words: what pictures are called; they should mean nothing.
    ways: numbers of words that are told apart. shots: numbers of pictures of each. repeats: how often each is shown.
    episodes: so many prompts are judged for each number of ways and shots.
    behind: so many captioned pictures stand before the one that is named in company.
    """

    language: str = "en"
    sentences: tuple[str, ...] = ("shows {caption}.", "is a picture of {caption}.", "here is {caption}.")
    together: tuple[Count, Count] = (1, 5)
    name: str = "this is a {word}."
    words: tuple[str, ...] = ("dax", "blicket", "wug", "fep", "zav", "toma", "kiki", "bouba", "lorp", "gazzer")
    ways: tuple[Annotated[int, Field(ge=2)], ...] = (2, 5)
    shots: tuple[Annotated[int, Field(ge=0)], ...] = (0, 1, 3, 5)
    repeats: Count = 1
    episodes: int = Field(default=200, ge=1)
    behind: int = Field(default=4, ge=1)


@dataclass(frozen=True, slots=True)
class Episode:
    """Words are told of pictures, and the word of one more picture is asked for.

    told: samples with their words, in the order of the prompt. asked: the sample whose word is the last one.
    """

    told: tuple[tuple[Sample, str], ...]
    asked: Sample
    word: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """What was said of the picture that is asked for in each episode; a word is right whatever follows it."""

    episodes: Sequence[Episode]
    prompts: Sequence[Prompt]
    texts: Sequence[str]

    @property
    def said(self) -> list[str]:
        """The right word where it was said, else all that was."""
        judged = zip(self.texts, self.episodes, strict=True)
        return [episode.word if text.startswith(episode.word) else text for text, episode in judged]

    @property
    def right(self) -> int:
        """In how many episodes it was the right word."""
        return sum(said == episode.word for said, episode in zip(self.said, self.episodes, strict=True))

    @property
    def share(self) -> float:
        """The same as a share of all episodes."""
        return self.right / len(self.episodes)

    def examples(self, writer: Writer, space: str) -> list[PromptExample]:
        """Some of them for the page. space: between a prompt and the word."""
        wanted, words = [one.word for one in self.episodes], [one.words for one in self.episodes]
        return prompt_examples(writer, self.prompts, self.said, wanted, words, space)


class FastBindingTask(Task):
    """Pictures with a caption in training; pictures with a label, which says what is alike, when a model is judged."""

    needs = "a caption"

    def __init__(self, config: Config, context: TaskContext) -> None:
        self.config, self.tokenizer = config, context.tokenizer
        fewest, most = config.together
        room = 2 * self.tokenizer.max_length  # what every language model here reads behind a picture
        self.together = Together(fewest, max(fewest, most), (self.tokenizer.bos,), room)

    def finds(self, sample: Sample) -> bool:
        return sample.image is not None and self._caption(sample) is not None

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        caption = self._caption(sample)
        if caption is None or sample.image is None:
            return []
        sentence = self.config.sentences[int(rng.integers(len(self.config.sentences)))]
        (before, space), after = open_end(sentence, CAPTION), sentence.partition(CAPTION)[2]
        most = self.tokenizer.max_length
        read, said = self.tokenizer.piece(before)[: most - 1], self.tokenizer.piece(space + caption + after)[:most]
        return [Row([PICTURE, *read, *said], [False] * (1 + len(read)) + [True] * len(said))]

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        found = [sample for sample in samples if sample.image is not None]
        told = [sample for sample in found if self._caption(sample) is not None]
        if not told and all(sample.label is None for sample in found):
            return {}
        writer, grey = Writer(predictor), blank(found[:1], predictor)[0]
        shown: dict[str, Show] = {"": own_picture, "_blind_floor": lambda sample: grey}
        shown |= {"_in_words": self._told} if len(told) == len(found) else {}
        figures: dict[str, float | None] = self._naming(writer, told) if told else {}
        tallies: dict[str, Tally] = {}
        _, space = open_end(self.config.name, WORD)
        for ways, shots in product(self.config.ways, self.config.shots):
            episodes = self._episodes(found, ways, shots)
            if not episodes:
                continue
            key = f"{ways}_way_{shots}_shot"
            bound = {name: self._bind(writer, episodes, show) for name, show in shown.items()}
            figures |= {f"{key}{name}": None if one is None else one.share for name, one in bound.items()}
            seen, unseen = bound[""], bound["_blind_floor"]
            if seen is not None and unseen is not None:
                figures[f"{key}_chance_floor"] = 1 / ways
                tallies[key] = Tally(seen.right, len(episodes), unseen.share)
                page.prompts += seen.examples(writer, space) if shots == 1 else []
        page.tallies["fast_binding"] = tallies
        page.notes += _left_out([name for name, figure in figures.items() if figure is None], writer)
        judged = {name: figure for name, figure in figures.items() if figure is not None}
        return judged | {"count": self.config.episodes}

    def _naming(self, writer: Writer, samples: Sequence[Sample]) -> dict[str, float | None]:
        """Whether a picture's words come out, alone and behind others; None where a prompt is too long."""
        before, _, after = self.config.sentences[0].partition(CAPTION)
        asked, _ = open_end(self.config.sentences[0], CAPTION)
        chosen = samples[: self.config.episodes]
        truths = [[self.tokenizer.normalise(self._caption(sample) or "")] for sample in chosen]
        alone: list[Prompt] = [[own_picture(sample), asked] for sample in chosen]
        company: list[Prompt] = []
        for place, sample in enumerate(chosen):
            others = [samples[(place + step) % len(samples)] for step in range(1, self.config.behind + 1)]
            told = [
                part for other in others for part in (own_picture(other), before + (self._caption(other) or "") + after)
            ]
            company.append([*told, own_picture(sample), asked])
        how = Decoding(max_new_tokens=32)
        naming = {"named_alone": alone, "named_in_company": company}
        room = writer.language.max_length - how.max_new_tokens
        figures: dict[str, float | None] = dict.fromkeys(naming)
        for name, prompts in naming.items():
            if max(map(writer.length, prompts)) <= room:
                said = writer.generate(prompts, how, [after] if after else [])
                figures[name] = exact_match([one.text for one in said], truths)
        return figures

    def _bind(self, writer: Writer, episodes: Sequence[Episode], show: Show) -> Bound | None:
        """What the model says, of all words that there are; None where a prompt is too long."""
        asked, _ = open_end(self.config.name, WORD)
        prompts: list[Prompt] = []
        for episode in episodes:
            told = [part for sample, word in episode.told for part in (show(sample), self._name(word))]
            prompts.append([*told, show(episode.asked), asked])
        longest = max(len(self.tokenizer.piece(self._name(word))) for word in self.config.words)
        if max(map(writer.length, prompts)) + longest > writer.language.max_length:
            return None
        said = writer.generate(prompts, Decoding(max_new_tokens=longest))
        return Bound(episodes, prompts, [one.text for one in said])

    def _name(self, word: str) -> str:
        return self.config.name.format(word=word)

    def _episodes(self, samples: Sequence[Sample], ways: int, shots: int) -> list[Episode]:
        """Always the same ones for the same samples; none where too few pictures are alike."""
        rng = np.random.default_rng((ways, shots))
        alike: dict[str, list[Sample]] = defaultdict(list)
        for sample in samples:
            if sample.label is not None:
                alike[sample.label].append(sample)
        kinds = [found for found in alike.values() if len(found) > shots]
        if len(kinds) < ways or len(self.config.words) < ways:
            return []
        return [self._episode(rng, kinds, ways, shots) for _ in range(self.config.episodes)]

    def _episode(self, rng: np.random.Generator, kinds: Sequence[list[Sample]], ways: int, shots: int) -> Episode:
        words = [self.config.words[number] for number in rng.choice(len(self.config.words), ways, replace=False)]
        told: list[tuple[Sample, str]] = []
        asked: list[Sample] = []
        for number, word in zip(rng.choice(len(kinds), ways, replace=False), words, strict=True):
            shown = [kinds[number][place] for place in rng.choice(len(kinds[number]), shots + 1, replace=False)]
            asked.append(shown[-1])
            told += [(sample, word) for sample in shown[:-1]]
        order = np.concatenate([rng.permutation(len(told)) for _ in range(self.config.repeats)])
        which = int(rng.integers(ways))
        return Episode(tuple(told[int(place)] for place in order), asked[which], words[which], tuple(words))

    def _caption(self, sample: Sample) -> str | None:
        return canonical(sample, self.config.language)

    def _told(self, sample: Sample) -> str:
        return self._caption(sample) or ""


def _left_out(figures: Sequence[str], writer: Writer) -> list[str]:
    """What to change so that these figures are there, too."""
    named = ", ".join(name for name in figures if not name.endswith("_floor"))
    if not named:
        return []
    return [
        f"not judged, because the prompts are longer than the {writer.language.max_length} tokens that the language "
        f"model reads: {named}; train with a higher tokenizer.max_length, or ask the task for fewer ways, shots, "
        "repeats or pictures behind"
    ]


def build(config: Config, context: TaskContext) -> FastBindingTask:
    return FastBindingTask(config, context)
