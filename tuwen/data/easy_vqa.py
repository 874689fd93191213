"""`easy_vqa`: the data set of the PyPI package easy-vqa, in its official split.

64 x 64 pictures of one shape in one colour; 4,000 for training with 38,575 questions and 1,000 for testing with 9,673,
with 13 answers (https://github.com/vzhou842/easy-VQA). A sample is a picture with all its questions, so that a picture
is encoded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tuwen.core.errors import DataError
from tuwen.core.rooms import PartConfig
from tuwen.core.sample import Question, Sample
from tuwen.data import NotedSplits
from tuwen.data._hashing import share_of

SHAPES = ("circle", "rectangle", "triangle")

Kind = Literal["yes-no", "shape", "colour"]


class Config(PartConfig):
    """How the official data is split further.

    validation: share of the official training pictures that is held out, chosen by a hash of their numbers.
    """

    validation: float = Field(0.0, ge=0, lt=1)


class EasyVQA:
    """A source: some of the pictures of one official split, in the order of their numbers.

    answers: the 13 answers, in the order of the package.
    """

    def __init__(
        self, split: str, paths: Mapping[int, str], questions: Mapping[int, Sequence[Question]], answers: Sequence[str]
    ) -> None:
        self.split, self.answers = split, tuple(answers)
        self._paths, self._questions = paths, questions
        self._numbers = sorted(paths)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        number = self._numbers[index]
        return Sample(
            key=f"easy_vqa/{self.split}/{number}",
            image=Path(self._paths[number]),
            questions=tuple(self._questions.get(number, ())),
        )


def build(config: Config, context: Any = None) -> NotedSplits:
    """`train` and `test`, and `validation` where asked for.

    Raises:
        DataError: the package is not installed.
    """
    try:
        import easy_vqa
    except ImportError:
        raise DataError(
            "easy_vqa: the data comes in a package of its own; install it with `pip install 'tuwen[easy-vqa]'`."
        ) from None
    answers = easy_vqa.get_answers()
    train_paths, train = easy_vqa.get_train_image_paths(), _by_picture(*easy_vqa.get_train_questions())
    test_paths, test = easy_vqa.get_test_image_paths(), _by_picture(*easy_vqa.get_test_questions())
    held = {number for number in train_paths if share_of(f"easy_vqa/train/{number}") < config.validation}
    kept = {number: path for number, path in train_paths.items() if number not in held}
    splits = {"train": EasyVQA("train", kept, train, answers), "test": EasyVQA("test", test_paths, test, answers)}
    if held:
        splits["validation"] = EasyVQA("train", {number: train_paths[number] for number in held}, train, answers)
    return NotedSplits(splits)


def _by_picture(texts: Sequence[str], answers: Sequence[str], numbers: Sequence[int]) -> dict[int, list[Question]]:
    questions: dict[int, list[Question]] = {}
    for text, answer, number in zip(texts, answers, numbers, strict=True):
        questions.setdefault(number, []).append(Question(text, answer, kind_of(answer), "en"))
    return questions


def kind_of(answer: str) -> Kind:
    """The kind of question that has this answer."""
    if answer in ("yes", "no"):
        return "yes-no"
    return "shape" if answer in SHAPES else "colour"
