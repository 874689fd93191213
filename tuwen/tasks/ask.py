"""Anything that is asked in words, of a picture, of a text or of both: one language model answers all of it.

The prompt alone tells what is wanted (Raffel et al. 2020, arXiv:1910.10683, section 2.4: every task is text to text).
Each kind of question has its own figures, beside what is got without understanding it:

    texts     `KIND_rouge_l`, beside the beginning of the prompt (as long as the answer), and a blind picture
    numbers   `KIND_mae`, `KIND_mse`, beside the median and the mean of the training answers
    others    `KIND_accuracy`, beside the commonest answer, and a blind picture

Numbers whose true answers are not all numbers ("many") are judged as others.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np
from pydantic import Field

from tuwen.core.batch import Row
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Picture, Question, Sample
from tuwen.metrics.classification import accuracy, majority_floor
from tuwen.metrics.text import rouge_l
from tuwen.models.predictor import Predictor
from tuwen.report.examples import Piece, PromptExample, SplitExamples
from tuwen.report.examples import choose as choose_examples
from tuwen.tasks import WORDS, Task, TaskContext, blank, choose

Asked = tuple[Sample, Question]


class Config(PartConfig):
    """Which kinds of question are judged how; the answers of those not named are right or wrong.

    questions: of a sample that are learned at a time. max_tokens: of an answer.
    texts: kinds whose answers are texts. numbers: kinds whose answers are numbers, where all of them are.
    """

    questions: int = Field(default=4, ge=1)
    max_tokens: int = Field(default=48, ge=1)
    texts: tuple[str, ...] = ("summary", "illustrated")
    numbers: tuple[str, ...] = ("number",)


@dataclass(frozen=True, slots=True)
class Answered:
    """Questions of one kind. said, truths: an answer to each. blind: with a uniform picture; None without pictures."""

    asked: Sequence[Asked]
    said: Sequence[str]
    truths: Sequence[str]
    blind: Sequence[str] | None

    def as_classes(self) -> dict[str, float]:
        """The share that is right."""
        blind = {} if self.blind is None else {"accuracy_blind_floor": accuracy(self.blind, self.truths)}
        floors = {"accuracy_majority_floor": majority_floor(self.truths), **blind}
        return {"accuracy": accuracy(self.said, self.truths), **floors}

    def as_texts(self) -> dict[str, float]:
        """How much of a text is there, in its order."""
        references = [[truth] for truth in self.truths]
        prompts = [question.text for _, question in self.asked]
        lead = [text[: len(truth)] for text, truth in zip(prompts, self.truths, strict=True)]
        blind = {} if self.blind is None else {"rouge_l_blind_floor": rouge_l(self.blind, references)}
        return {"rouge_l": rouge_l(self.said, references), "rouge_l_lead_floor": rouge_l(lead, references), **blind}

    @property
    def odd(self) -> str | None:
        """The first true answer that is no number."""
        return next((truth for truth in self.truths if _number(truth) is None), None)

    def as_numbers(self, known: Sequence[float]) -> dict[str, float]:
        """How far off a number is; what is no number counts as the middle of those known. No truth may be `odd`."""
        middle, mean = median(known), fmean(known)
        truths = np.array(_numbers(self.truths))
        said = [_number(text) for text in self.said]
        off = np.array([middle if number is None else number for number in said]) - truths
        return {
            "mae": float(np.abs(off).mean()),
            "mse": float((off**2).mean()),
            "mae_median_floor": float(np.abs(middle - truths).mean()),
            "mse_mean_floor": float(((mean - truths) ** 2).mean()),
        }

    def examples(self, predictor: Predictor) -> list[PromptExample]:
        """Some of them for the page."""
        answered = zip(self.asked, self.said, self.truths, strict=True)
        some = choose_examples([_Example(*one, said, truth) for one, said, truth in answered], 2, 2)
        return [one.shown(predictor) for one in some]


@dataclass(frozen=True, slots=True)
class _Example:
    sample: Sample
    question: Question
    said: str
    truth: str

    @property
    def right(self) -> bool:
        return self.said == self.truth

    def shown(self, predictor: Predictor) -> PromptExample:
        picture = () if self.sample.image is None else (Piece(picture=predictor.prepare(self.sample.image)),)
        return PromptExample((*picture, Piece(self.question.text)), self.said, self.truth, self.right)


class AskTask(Task):
    """Questions with an answer in words, with a picture or without."""

    stream = WORDS
    needs = "a question with its answer"
    needs_picture = False

    def __init__(self, config: Config, context: TaskContext) -> None:
        self.config, self.tokenizer = config, context.tokenizer

    def finds(self, sample: Sample) -> bool:
        return bool(sample.questions)

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        chosen = choose(sample.questions, self.config.questions, rng)
        return [self._row(sample.questions[number]) for number in chosen]

    def _row(self, question: Question) -> Row:
        prompt, answer = self.tokenizer.prompt(question.text), self.tokenizer.answer(question.answer)
        return Row(prompt + answer, [False] * len(prompt) + [True] * len(answer))

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        groups: dict[str, list[Asked]] = defaultdict(list)
        for sample in samples:
            for question in sample.questions:
                groups[question.kind].append((sample, question))
        known: dict[str, list[str]] = defaultdict(list)
        for question in (question for sample in training for question in sample.questions):
            known[question.kind].append(question.answer)
        found: dict[str, float] = {}
        for kind, asked in groups.items():
            answered = self._answer(predictor, asked)
            page.prompts += answered.examples(predictor)
            figures = self._judge(kind, answered, known[kind], page)
            found |= {f"{kind}_{name}": value for name, value in figures.items()}
        return found | ({"count": float(sum(map(len, groups.values())))} if found else {})

    def _judge(self, kind: str, answered: Answered, known: Sequence[str], page: SplitExamples) -> dict[str, float]:
        if kind in self.config.texts:
            return answered.as_texts()
        if kind not in self.config.numbers:
            return answered.as_classes()
        if answered.odd is not None:
            page.notes.append(
                f"answers of the kind {kind!r} are right or wrong here, because {answered.odd!r} is no number: mend "
                f"the data, or take {kind!r} out of the task's `numbers`"
            )
            return answered.as_classes()
        numbers = _numbers([self.tokenizer.normalise(answer) for answer in known])
        if not numbers:
            page.notes.append(
                f"the numbers of the kind {kind!r} are right or wrong here: what says no number would count as the "
                "middle of the training answers, and there are none"
            )
            return answered.as_classes()
        return answered.as_numbers(numbers)

    def _answer(self, predictor: Predictor, asked: Sequence[Asked]) -> Answered:
        """Those with a picture and those without are asked apart, and stand in this order."""
        seen = [one for one in asked if one[0].image is not None]
        read = [one for one in asked if one[0].image is None]
        pictures = [sample.image for sample, _ in seen if sample.image is not None]
        said = [*self._write(predictor, seen, pictures), *self._write(predictor, read, None)]
        grey = blank([sample for sample, _ in seen], predictor)
        blind = None if read else self._write(predictor, seen, grey)
        truths = [self.tokenizer.normalise(question.answer) for _, question in (*seen, *read)]
        return Answered((*seen, *read), said, truths, blind)

    def _write(self, predictor: Predictor, asked: Sequence[Asked], pictures: Sequence[Picture] | None) -> list[str]:
        return predictor.write([question.text for _, question in asked], pictures, self.config.max_tokens)


def _numbers(texts: Sequence[str]) -> list[float]:
    """Those of them that are numbers."""
    return [number for text in texts if (number := _number(text)) is not None]


def _number(text: str) -> float | None:
    """The number that a text is, `-3`, `0.5` or `1e-3`; None where it is none, or not a finite one."""
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text) is None:
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def build(config: Config, context: TaskContext) -> AskTask:
    return AskTask(config, context)
