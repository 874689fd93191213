"""What the columns of a table mean: what a user may say of them, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, field_validator

from tuwen.core.rooms import PartConfig
from tuwen.data._vocabulary import language_called


class ColumnsConfig(PartConfig):
    """What the columns of a table mean. Whatever is left out is guessed, and the guess is said.

    image_column: the picture: its file's name or its bytes.
    caption_columns: texts about the picture, in one or more columns; `names.*` means all that begin so, [] none.
    label_column: the picture's class. tags_column: all classes that fit it, as a list, or divided by commas or
        semicolons; an empty cell is none of them. It is never guessed.
    question_column, answer_column, question_kind_column: a question, its answer and its kind.
    language: of all texts (`zh`); else told by the column's name (`caption_en`), else by each text's script.
    templates: captions made of the label, by language: `{en: "a photo of a {}", zh: "一张{}的照片"}`.
    """

    image_column: str | None = None
    caption_columns: tuple[str, ...] | None = None
    label_column: str | None = None
    tags_column: str | None = None
    question_column: str | None = None
    answer_column: str | None = None
    question_kind_column: str | None = None
    language: str | None = None
    templates: dict[str, str] = Field(default_factory=dict)

    @field_validator("templates")
    @classmethod
    def _with_a_place(cls, templates: dict[str, str]) -> dict[str, str]:
        for language, template in templates.items():
            if "{}" not in template:
                raise ValueError(f"the template for {language!r} has no {{}} where the label goes")
        return {language_called(language): template for language, template in templates.items()}

    @field_validator("language")
    @classmethod
    def _by_its_code(cls, language: str | None) -> str | None:
        return None if language is None else language_called(language)


class TableConfig(ColumnsConfig):
    """What the columns of a table mean, and how its rows are split.

    split_column: which split the row belongs to: train, validation, test or held_out.
    validation: share of the training pictures that is held out for validation, chosen by a hash of the picture's name;
        by default 0.1 where there is nothing but training data, and 0 where the data has other splits of its own.
    """

    split_column: str | None = None
    validation: float | None = Field(None, ge=0, lt=1)


@dataclass(frozen=True)
class Columns:
    """The columns of a table by meaning. Each caption column has its language, or None where the text must tell.

    turns: who speaks and what is said, where questions and answers are the turns of a conversation.
    """

    image: str
    captions: tuple[tuple[str, str | None], ...] = ()
    label: str | None = None
    tags: str | None = None
    question: str | None = None
    answer: str | None = None
    kind: str | None = None
    turns: tuple[str, str] | None = None
