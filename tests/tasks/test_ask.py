"""Kinds of question and their figures, with a model that answers by rules."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tests.tasks.oracle import picture
from tuwen.core.rooms import build_part
from tuwen.core.sample import Picture, Question, Sample
from tuwen.models.predictor import Predictor
from tuwen.report.examples import Examples
from tuwen.tasks import WORDS, Task, TaskContext

SAMPLES = [
    *(
        Sample(f"mood {n}", questions=(Question(f"mood: {n}", "happy" if n < 3 else "sad", "sentiment", "en"),))
        for n in range(4)
    ),
    Sample("told", questions=(Question("sum up: a b c d", "a b c d", "summary", "en"),)),
    *(
        Sample(f"place {n}", image=picture(n + 1), questions=(Question("how far?", str(10 * n), "number", "en"),))
        for n in range(3)
    ),
    Sample("colour", image=picture(9), questions=(Question("what colour?", "red", "colour", "en"),)),
]


def task(**settings: Any) -> Task:
    return build_part("tasks", {"kind": "ask", **settings}, TaskContext(tiny.tokenizer()))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str, int], str]], None]:
    """Let the model answer a question, and a picture's number (0 for a grey one, -1 for none), by a rule."""

    def follow(say: Callable[[str, int], str]) -> None:
        def write(
            self: Predictor, prompts: Sequence[str], pictures: Sequence[Picture] | None = None, most: int = 64
        ) -> list[str]:
            shown = [-1] * len(prompts) if pictures is None else [_number(one) for one in pictures]
            return [say(prompt, number) for prompt, number in zip(prompts, shown, strict=True)]

        monkeypatch.setattr(Predictor, "write", write)

    return follow


def _number(shown: Picture) -> int:
    number = int(np.asarray(shown)[0, 0, 0])
    return number if number < 20 else 0


def figures(training: Sequence[Sample] = SAMPLES, **settings: Any) -> dict[str, float]:
    predictor = tiny.predictor(tiny.model(language={"kind": "gpt", "width": 24, "depth": 1, "heads": 2}))
    return task(**settings).evaluate(predictor, SAMPLES, training, Examples().split("tasks"))


def test_figures_by_hand(answers: Any) -> None:
    """Places 0, 10, 20 are guessed as 0, 13 and nothing, which counts as the median of training, 10."""

    def say(prompt: str, number: int) -> str:
        if prompt == "how far?":
            return ("?", "0", "13", "none")[number]
        return {"what colour?": "red" if number else "blue", "sum up: a b c d": "a c"}.get(prompt, "happy")

    answers(say)
    found = figures()
    assert found["count"] == 9
    assert found["sentiment_accuracy"] == found["sentiment_accuracy_majority_floor"] == 0.75
    assert "sentiment_accuracy_blind_floor" not in found
    assert (found["colour_accuracy"], found["colour_accuracy_blind_floor"]) == (1, 0)
    assert found["number_mae"] == pytest.approx((0 + 3 + 10) / 3)
    assert found["number_mse"] == pytest.approx((0 + 9 + 100) / 3)
    assert found["number_mae_median_floor"] == pytest.approx(20 / 3)
    assert found["number_mse_mean_floor"] == pytest.approx(200 / 3)
    precision, recall, weight = 1.0, 0.5, 1.2**2
    assert found["summary_rouge_l"] == pytest.approx((1 + weight) * precision * recall / (recall + weight * precision))
    assert found["summary_rouge_l_lead_floor"] < found["summary_rouge_l"]


def test_any_kind_may_be_a_number_or_a_text(answers: Any) -> None:
    answers(lambda prompt, number: "red")
    found = figures(training=(), texts=["colour"], numbers=[])
    assert found["colour_rouge_l"] == found["colour_rouge_l_blind_floor"] == 1
    assert {"number_accuracy", "summary_accuracy"} <= set(found)


def test_without_training_answers_numbers_are_right_or_wrong(answers: Any) -> None:
    """What says no number has no middle to count as."""
    answers(lambda prompt, number: "none" if number == 3 else "10")
    page = Examples().split("tasks")
    model = tiny.predictor(tiny.model(language={"kind": "gpt", "width": 24, "depth": 1, "heads": 2}))
    found = task().evaluate(model, SAMPLES, [], page)
    assert found["number_accuracy"] == 1 / 3
    assert not any("mae" in name for name in found)
    (note,) = page.notes
    assert note.startswith("the numbers of the kind 'number' are right or wrong here")


def test_numbers_of_which_one_is_no_number_are_right_or_wrong(answers: Any) -> None:
    """And are not a crash after the training; in the training data such an answer only counts for nothing."""
    answers(lambda prompt, number: "many")
    places = [sample for sample in SAMPLES if sample.key.startswith("place")]
    asked = [*places, scene("crowd", 4, "many")]
    page = Examples().split("tasks")
    model = tiny.predictor(tiny.model(language={"kind": "gpt", "width": 24, "depth": 1, "heads": 2}))
    found = task().evaluate(model, asked, asked, page)
    assert (found["number_accuracy"], found["number_accuracy_majority_floor"]) == (1 / 4, 1 / 4)
    (note,) = page.notes
    assert note.startswith("answers of the kind 'number' are right or wrong here, because 'many' is no number")
    page = Examples().split("tasks")
    found = task().evaluate(model, [*places, scene("half", 5, "1e1")], asked, page)
    assert (found["number_mae"], page.notes) == ((10 + 0 + 10 + 0) / 4, [])


def scene(key: str, number: int, answer: str) -> Sample:
    """A picture of which a number is asked."""
    return Sample(key, image=picture(number), questions=(Question("how far?", answer, "number", "en"),))


def test_a_row_is_a_prompt_and_its_answer() -> None:
    asked, tokenizer = task(), tiny.tokenizer()
    (row,) = asked.encode(Sample("one", questions=(Question("how many?", "2"),)), np.random.default_rng(0))[:1]
    assert row.ids == tokenizer.prompt("how many?") + tokenizer.answer("2")
    assert row.loss_mask == [False] * len(tokenizer.prompt("how many?")) + [True] * len(tokenizer.answer("2"))
    assert asked.stream == WORDS
    assert not asked.needs_picture


def test_nothing_is_asked_of_nothing() -> None:
    predictor = tiny.predictor(tiny.model(language={"kind": "gpt", "width": 24, "depth": 1, "heads": 2}))
    assert task().evaluate(predictor, [Sample("none", image=picture(1))], [], Examples().split("tasks")) == {}
