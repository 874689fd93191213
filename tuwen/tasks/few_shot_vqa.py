"""Answer questions after none or a few examples in the prompt (Tsimpoukelli et al. 2021, arXiv:2106.13884, 4.1).

    [picture] question: what shape is it? answer: circle. [picture] question: what colour is it? answer:

Nothing is trained for it: a model that has only ever been trained on captions is asked as its language model was asked.
What that language model answers to captions in the place of the pictures is the most that can be hoped for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from tuwen.core.batch import Row
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Question, Sample
from tuwen.metrics.classification import accuracy, majority_floor
from tuwen.models.generate import Decoding
from tuwen.models.predictor import Predictor
from tuwen.models.prompts import Part, Prompt, Writer
from tuwen.report.examples import AnswerExample, SplitExamples
from tuwen.report.examples import choose as choose_examples
from tuwen.tasks import Task, TaskContext, blank
from tuwen.tasks._shots import canonical, open_end, own_picture, prompt_examples

Asked = tuple[Sample, Question]
Show = Callable[[Sample], Part]


class Config(PartConfig):
    """How questions are asked, and after how many examples.

    language: of the questions. example: what follows a picture whose answer is told; without the answer it asks for it.
    stop: what ends an answer. shots: numbers of examples, drawn from the training samples.
    questions: so many are asked at most.
    """

    language: str = "en"
    example: str = "question: {question} answer: {answer}."
    stop: str = "."
    shots: tuple[Annotated[int, Field(ge=0)], ...] = (0, 1, 4)
    questions: int = Field(default=400, ge=1)


class FewShotVqaTask(Task):
    """Questions that are only asked, never learned."""

    needs = "a question with its answer"

    def __init__(self, config: Config, context: TaskContext) -> None:
        self.config, self.tokenizer = config, context.tokenizer

    def finds(self, sample: Sample) -> bool:
        return sample.image is not None and bool(self._questions(sample))

    def encode(self, sample: Sample, rng: np.random.Generator) -> list[Row]:
        return []

    def evaluate(
        self, predictor: Predictor, samples: Sequence[Sample], training: Sequence[Sample], page: SplitExamples
    ) -> dict[str, float]:
        asked = self._pairs(samples)[: self.config.questions]
        examples = self._pairs(training)
        if not asked:
            return {}
        grey, writer = blank(samples[:1], predictor)[0], Writer(predictor)
        truths = [self.tokenizer.normalise(question.answer) for _, question in asked]
        figures = {"majority_floor": majority_floor(truths), "count": float(len(asked))}
        shown: dict[str, Show] = {"": own_picture, "_blind_floor": lambda sample: grey}
        if all(canonical(sample, self.config.language) for sample, _ in (*asked, *examples)):
            shown["_in_words"] = lambda sample: canonical(sample, self.config.language) or ""
        for shots in (number for number in self.config.shots if examples or not number):
            prompts = {name: self._prompts(asked, examples, shots, show) for name, show in shown.items()}
            said = {name: self._answers(writer, own) for name, own in prompts.items()}
            figures |= {
                f"{shots}_shot_accuracy{name}": accuracy(answers, truths)
                for name, answers in said.items()
                if answers is not None
            }
            answers = said[""]
            if shots == min(self.config.shots) and answers is not None:
                page.answers += choose_examples(self._shown(predictor, asked, answers, truths))
            if shots == 1 and answers is not None:
                closed = [sorted(set(truths))] * len(asked)
                _, space = open_end(self.config.example, "{answer}")
                page.prompts += prompt_examples(writer, prompts[""], answers, truths, closed, space)
        return figures

    def _prompts(self, asked: Sequence[Asked], examples: Sequence[Asked], shots: int, show: Show) -> list[Prompt]:
        rng = np.random.default_rng(shots)
        return [self._prompt(one, self._draw(rng, examples, shots), show) for one in asked]

    def _answers(self, writer: Writer, prompts: Sequence[Prompt]) -> list[str] | None:
        """The answer to each question; None if a prompt is too long."""
        how = Decoding(max_new_tokens=16)
        if max(map(writer.length, prompts)) + how.max_new_tokens > writer.language.max_length:
            return None
        return [one.text.strip() for one in writer.generate(prompts, how, [self.config.stop])]

    def _draw(self, rng: np.random.Generator, examples: Sequence[Asked], shots: int) -> list[Asked]:
        return [examples[int(number)] for number in rng.integers(len(examples), size=shots)] if examples else []

    def _prompt(self, asked: Asked, examples: Sequence[Asked], show: Show) -> Prompt:
        told = [
            part
            for sample, question in examples
            for part in (
                show(sample),
                self.config.example.format(question=question.text, answer=question.answer),
            )
        ]
        sample, question = asked
        asking, _ = open_end(self.config.example, "{answer}")
        return [*told, show(sample), asking.format(question=question.text)]

    def _pairs(self, samples: Sequence[Sample]) -> list[Asked]:
        return [(sample, question) for sample in samples if self.finds(sample) for question in self._questions(sample)]

    def _questions(self, sample: Sample) -> list[Question]:
        return [question for question in sample.questions if question.language in (self.config.language, "und")]

    def _shown(
        self, predictor: Predictor, asked: Sequence[Asked], said: Sequence[str], truths: Sequence[str]
    ) -> list[AnswerExample]:
        return [
            AnswerExample(
                predictor.prepare(own_picture(sample)), question.text, text, truth, text == truth, question.kind
            )
            for (sample, question), text, truth in zip(asked[:200], said, truths, strict=False)
        ]


def build(config: Config, context: TaskContext) -> FewShotVqaTask:
    return FewShotVqaTask(config, context)
