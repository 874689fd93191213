"""Which column of a table means what: as the user says, else guessed, and what was guessed is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import numpy as np

from tuwen.core.errors import DataError
from tuwen.core.rooms import nearest
from tuwen.data._columns import Columns, ColumnsConfig
from tuwen.data._pictures import looks_like_picture
from tuwen.data._tables.rows import Rows
from tuwen.data._text import tags_in, texts
from tuwen.data._vocabulary import (
    ANSWER,
    ANSWERING,
    ASKING,
    CAPTION,
    IMAGE,
    KIND,
    LABEL,
    LANGUAGES,
    NEVER,
    QUESTION,
    SILENT,
    SPLIT,
    SPLIT_NAMES,
    TAGS,
    TURNS,
    language_of,
    unmatched,
)

_LOOKED_AT = 200
_ASKED_FOR = 20


class Chooser:
    """Finds out what each column means.

    Args:
        rows: the table.
        config: what the user says of it.
        is_there: whether a text without a picture's ending names a picture that is there.

    Attributes:
        notes: a sentence for each guess.

    Raises:
        DataError: a column that the user named is not there.
    """

    def __init__(self, rows: Rows, config: ColumnsConfig, is_there: Callable[[str], bool]) -> None:
        self.rows, self.config, self.is_there = rows, config, is_there
        self.notes: list[str] = []
        self.free = list(rows.columns)
        numbers = np.unique(np.linspace(0, len(rows) - 1, _LOOKED_AT).astype(int)).tolist() if len(rows) else []
        self.looked_at = [number for number in numbers if number not in rows.faults]
        self.captions = None if config.caption_columns is None else self._expand(config.caption_columns)
        named = {name: value for name, value in config if name.endswith("_column") and value is not None}
        self._take(*[self._known(name) for name in named.values()], *(self.captions or []))

    def split(self, given: str | None) -> str | None:
        """The column that tells the split: the one given, or one whose name and values speak of splits."""
        return given or self._guess("splits", SPLIT, self._is_split)

    def columns(self) -> Columns:
        """All other columns.

        Raises:
            DataError: none holds pictures, or none says anything about them.
        """
        config = self.config
        image = config.image_column or self._guess_image()
        turns = self._turns()
        question, answer, kind = self._questions()
        label = config.label_column or self._guess("labels", LABEL)
        tags = config.tags_column
        said = bool(label or question or tags or turns)
        captions = self._guess_captions(silent=not said) if self.captions is None else self.captions
        if not (captions or said):
            raise DataError(
                f"{self.rows.name}: no column says anything about the pictures. It has {self._listed()}. "
                "Name one with `caption_columns`, `label_column`, `tags_column`, or `question_column` and "
                "`answer_column`."
            )
        if tags is None:
            self._mention_tags([*self.free, *(captions if self.captions is None else ())], label)
        return Columns(image, self._with_languages(captions), label, tags, question, answer, kind, turns)

    def _mention_tags(self, names: Sequence[str], label: str | None) -> None:
        """Say which columns may hold several classes a picture: by name, or a guessed class that looks divided."""
        found = [name for name in names if unmatched(name, TAGS) is not None and unmatched(name, NEVER) is None]
        if label is not None and self.config.label_column is None:
            divided = [len(tags_in(value)) > 1 for value in self._values(label)]
            found += [label] if sum(divided) > len(divided) / 10 else []
        self.notes += [
            f"{self.rows.name}: {name!r} may be several classes a picture; set `tags_column` if it is."
            for name in found
            if self._values(name)
        ]

    def _turns(self) -> tuple[str, str] | None:
        """Columns of who speaks and of what is said, as conversations about pictures are kept (LLaVA and others)."""
        known = {*ASKING, *ANSWERING, *SILENT}
        for speaker, said in TURNS:
            for whole in [name.removesuffix(f".{speaker}") for name in self.free if name.endswith(f".{speaker}")]:
                columns = f"{whole}.{speaker}", f"{whole}.{said}"
                speakers = {value.lower() for value in self._values(columns[0])}
                if columns[1] in self.free and speakers and speakers <= known:
                    self._take(*columns)
                    self.notes.append(
                        f"{self.rows.name}: the questions and answers are the turns of {whole!r} (guessed), "
                        "without <image>."
                    )
                    return columns
        return None

    def _questions(self) -> tuple[str | None, str | None, str | None]:
        """Columns of questions, answers and kinds. What looks like the one half of a pair without the other is none.

        Raises:
            DataError: the user named one half, and the other is not found.
        """
        config, free, noted = self.config, self.free, len(self.notes)
        kind = config.question_kind_column or self._guess("kinds of question", KIND, self._is_kind)
        question = config.question_column or self._guess("questions", QUESTION)
        answer = config.answer_column or self._guess("answers", ANSWER)
        if question and answer:
            return question, answer, kind
        for half, other in (("question", "answer"), ("answer", "question")):
            if getattr(config, f"{half}_column") is not None:
                raise DataError(
                    f"{self.rows.name}: `{half}_column` is set, and no {other}s are found; set `{other}_column` too."
                )
        self.free, self.notes = free, self.notes[:noted]
        return None, None, None

    def _known(self, name: str) -> str:
        if name not in self.rows.columns:
            hint = nearest(name, self.rows.columns)
            raise DataError(f"{self.rows.name} has no column {name!r}; it has {self._listed()}.{hint}")
        return name

    def _expand(self, patterns: Sequence[str]) -> list[str]:
        found: list[str] = []
        for pattern in patterns:
            wild = "*" in pattern and pattern not in self.rows.columns
            matches = [name for name in self.rows.columns if fnmatchcase(name, pattern)] if wild else []
            found += matches or [self._known(pattern)]
        return list(dict.fromkeys(found))

    def _take(self, *names: str) -> None:
        self.free = [name for name in self.free if name not in names]

    def _values(self, name: str) -> list[str]:
        return [text for row in self.looked_at for text in texts(self.rows.cell(row, name))]

    def _guess_image(self) -> str:
        """Bytes of pictures; else the column of which most values name pictures; ties go to the likelier name.

        Raises:
            DataError: there is none.
        """
        best = self._best(looks_like_picture, _LOOKED_AT) or self._best(self.is_there, _ASKED_FOR)
        if best is None:
            raise DataError(
                f"{self.rows.name}: no column names pictures that are there. It has {self._listed()}. Name the column "
                "with `image_column`, and check that its values are paths from the folder given as `path`."
            )
        self._take(best)
        self.notes.append(f"{self.rows.name}: the pictures are in column {best!r} (guessed).")
        return best

    def _best(self, is_picture: Callable[[str], bool], most: int) -> str | None:
        scores: dict[str, tuple[float, bool]] = {}
        for name in self.free:
            by_name = unmatched(name, IMAGE) is not None
            if self.rows.holds_pictures(name):
                scores[name] = (2, by_name)
            elif values := self._values(name)[:most]:
                scores[name] = (sum(map(is_picture, values)) / len(values), by_name)
        best = max(scores, key=lambda name: scores[name], default=None)
        return best if best is not None and scores[best][0] > 0.1 else None

    def _guess(self, what: str, words: Sequence[str], fits: Callable[[str], bool] | None = None) -> str | None:
        """The free column whose name says little else than one of the words."""
        extra = {name: count for name in self.free if (count := unmatched(name, words)) is not None}
        for name in sorted(extra, key=extra.__getitem__):
            if unmatched(name, NEVER) is None and (fits is None or fits(name)) and self._values(name):
                self._take(name)
                self.notes.append(f"{self.rows.name}: the {what} are in column {name!r} (guessed).")
                return name
        return None

    def _is_split(self, name: str) -> bool:
        return all(value.lower() in SPLIT_NAMES for value in self._values(name))

    def _is_kind(self, name: str) -> bool:
        return unmatched(name, QUESTION + ANSWER) is not None

    def _guess_captions(self, silent: bool) -> list[str]:
        """By name; else, where nothing else is said of the pictures, the column of the longest texts.

        A column of one text in all rows is taken only by its whole name, or where there is nothing else.
        """
        wordy = [name for name in self.free if unmatched(name, NEVER) is None and self._is_text(name)]
        varied = [name for name in wordy if _is_caption(name) or not self._is_constant(name)]
        wordy = wordy if silent and not varied else varied
        found = self._called_captions(wordy)
        if not found and silent and wordy:
            found = [max(wordy, key=lambda name: np.mean([len(value) for value in self._values(name)]))]
        self._take(*found)
        if found:
            column = "columns" if len(found) > 1 else "column"
            self.notes.append(
                f"{self.rows.name}: the captions are in {column} {', '.join(map(repr, found))} (guessed)."
            )
        return found

    def _called_captions(self, names: Sequence[str]) -> list[str]:
        """Columns called like captions; where the whole name of one says so, only those of which it does."""
        called = [name for name in names if unmatched(name, CAPTION) is not None or name.lower() in LANGUAGES]
        whole = [name for name in called if _is_caption(name)]
        if whole and (left := [name for name in called if name not in whole]):
            self.notes.append(
                f"{self.rows.name}: {', '.join(map(repr, left))} may be captions, and are not used; "
                "set `caption_columns` if they are."
            )
        return whole or called

    def _is_constant(self, name: str) -> bool:
        """Whether all rows say the same."""
        values = self._values(name)
        return len(values) >= len(self.looked_at) > 1 and len(set(values)) == 1

    def _is_text(self, name: str) -> bool:
        """Most values have letters, and are not the names of files."""
        if self.rows.holds_pictures(name):
            return False
        values = self._values(name)
        wordy = [value for value in values if any(map(str.isalpha, value)) and not looks_like_picture(value)]
        return len(wordy) > len(values) / 2 and set(values) - {"true", "false"} != set()

    def _with_languages(self, names: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
        return tuple((name, self.config.language or language_of(name)) for name in names)

    def _listed(self) -> str:
        return ", ".join(map(repr, self.rows.columns[:30])) or "no columns"


def _is_caption(name: str) -> bool:
    """Whether a column's whole name says that captions are in it."""
    return unmatched(name, (*CAPTION, *LANGUAGES)) == 0
