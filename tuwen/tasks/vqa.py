"""A question about a picture, answered by a head over the answers of training, or in words by the language model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Literal

import numpy as np
from pydantic import Field

from tuwen.core.batch import Row, RowPhrases
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Phrase, Picture, Question, Sample
from tuwen.metrics.classification import accuracy, accuracy_by_kind, majority_floor, question_floor
from tuwen.models.predictor import Predictor
from tuwen.prep.batches import IGNORE
from tuwen.report.examples import AnswerExample, SplitExamples, Tally
from tuwen.report.examples import choose as choose_examples
from tuwen.tasks import WORDS, Task, TaskContext, blank, choose


class Config(PartConfig):
    """by: `words` lets the language model write the answer, `head` chooses among the answers of training.

    questions: of a picture that are learned at a time; the picture is encoded once for all of them.
    head: the model's head, where one chooses. max_tokens: of an answer that is written.
    """

    by: Literal["words", "head"] = "words"
    questions: int = Field(default=4, ge=1)
    head: str = "answer"
    max_tokens: int = Field(default=16, ge=1)


class VqaTask(Task):
    """Questions with one right answer each."""

    needs = "a question with its answer"

    def __init__(self, config: Config, context: TaskContext) -> None:
        self.config = config
        self.tokenizer = context.tokenizer
        self.answers = context.answers
        self.number = {answer: number for number, answer in enumerate(context.answers)}
        self.stream = WORDS if config.by == "words" else None

    def finds(self, sample: Sample) -> bool:
        return bool(sample.questions)

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        chosen = choose(sample.questions, self.config.questions, rng)
        return [self._row(sample.questions[number]) for number in chosen]

    def _row(self, question: Question) -> Row:
        if self.config.by == "head":
            target = self.number.get(question.answer, IGNORE)
            if not question.phrases:
                return Row(self.tokenizer.read(question.text), target=target)
            ids, places = self.tokenizer.locate(question.text)
            return Row(ids, target=target, phrases=_phrases(places, question.phrases))
        prompt, answer = self.tokenizer.prompt(question.text), self.tokenizer.answer(question.answer)
        return Row(prompt + answer, [False] * len(prompt) + [True] * len(answer))

    def predict(self, predictor: Predictor, pictures: Sequence[Picture], questions: Sequence[str]) -> list[str]:
        """The answer to each question about its picture."""
        if self.config.by == "words":
            return predictor.write(questions, pictures, self.config.max_tokens)
        logits = predictor.logits(self.config.head, pictures, questions)
        return [self.answers[number] for number in logits.argmax(-1).tolist()]

    def _sayable(self, question: Question) -> str:
        """The answer as the model can give it: in words, those of its tokenizer."""
        return self.tokenizer.normalise(question.answer) if self.config.by == "words" else question.answer

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        asked = [(sample, question) for sample in samples if sample.image is not None for question in sample.questions]
        if not asked:
            return {}
        questions = [question.text for _, question in asked]
        truths = [self._sayable(question) for _, question in asked]
        kinds = [question.kind for _, question in asked]
        pictures = [sample.image for sample, _ in asked if sample.image is not None]
        answers = self.predict(predictor, pictures, questions)
        blind = self.predict(predictor, blank([sample for sample, _ in asked], predictor), questions)
        seen = [(question.text, self._sayable(question)) for sample in training for question in sample.questions]
        floors = {
            "majority_floor": majority_floor(truths),
            **({"question_only_floor": question_floor(seen, zip(questions, truths, strict=True))} if seen else {}),
            "blind_floor": accuracy(blind, truths),
        }
        page.tallies["vqa_by_kind"] = {
            kind: Tally(found.right, found.count, found.floor)
            for kind, found in accuracy_by_kind(answers, truths, kinds).items()
        }
        languages = [question.language for _, question in asked]
        page.tallies["vqa_by_language"] = {
            language: Tally(found.right, found.count, found.floor)
            for language, found in accuracy_by_kind(answers, truths, languages).items()
        }
        page.answers += choose_examples(_examples(predictor, asked, answers, truths))
        return {"accuracy": accuracy(answers, truths), "floor": max(floors.values()), "count": len(truths), **floors}


def _phrases(places: Sequence[tuple[int, int]], phrases: Sequence[Phrase]) -> RowPhrases:
    """The phrase of each token, the shortest that it is a part of. places: the characters that it stands for."""
    of = [0] * len(places)
    for number, phrase in sorted(enumerate(phrases, 1), key=lambda item: item[1].start - item[1].stop):
        for token, (start, stop) in enumerate(places):
            if start < phrase.stop and stop > phrase.start:
                of[token] = number
    return RowPhrases(of, tuple(phrase.boxes for phrase in phrases))


def _examples(
    predictor: Predictor, asked: Sequence[tuple[Sample, Question]], answers: Sequence[str], truths: Sequence[str]
) -> list[AnswerExample]:
    """One question a picture for the page: the first of the first picture, the second of the second, ..."""
    groups = [list(group) for _, group in groupby(range(len(asked)), key=lambda number: id(asked[number][0]))]
    some = [group[place % len(group)] for place, group in enumerate(groups)]
    wrong = [number for number in range(len(asked)) if answers[number] != truths[number]]
    return [
        AnswerExample(
            predictor.prepare(asked[number][0].image),  # type: ignore[arg-type]
            asked[number][1].text,
            answers[number],
            truths[number],
            answers[number] == truths[number],
            asked[number][1].kind,
        )
        for number in dict.fromkeys(wrong[:40] + some[:80])
    ]


def build(config: Config, context: TaskContext) -> VqaTask:
    return VqaTask(config, context)
