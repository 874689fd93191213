"""Where samples come from. Each part's `build(config, context)` returns `Splits`: sources or streams by split name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuwen.core.sample import Source, Splits, Stream
from tuwen.data._address import spec_of, whole
from tuwen.data._pictures import has_picture_suffix

__all__ = ["SPLITS", "DataContext", "NotedSplits", "classes_of", "has_picture_suffix", "spec_of", "whole"]

SPLITS = ("train", "validation", "test", "held_out")
"""The names of splits, in the order in which they are listed."""


@dataclass(frozen=True, slots=True)
class DataContext:
    """What every data part may read: the run's seed."""

    seed: int = 0


class NotedSplits(dict[str, Source | Stream]):
    """Splits, and what is known of them.

    notes: plain sentences for the user: what was found, and what was guessed.
    labels: the class names of all splits; empty where there are none.
    class_texts: for each language, a text that describes each label; empty where the data has none.
    """

    def __init__(
        self,
        splits: Mapping[str, Source | Stream],
        notes: Sequence[str] = (),
        labels: Sequence[str] = (),
        class_texts: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        super().__init__({name: splits[name] for name in sorted(splits, key=_rank)})
        self.notes = tuple(notes)
        self.labels = tuple(labels)
        self.class_texts = dict(class_texts or {})

    def noted(self, *notes: str) -> NotedSplits:
        """The same, with further notes before its own."""
        return NotedSplits(self, [*notes, *self.notes], self.labels, self.class_texts)


def classes_of(parts: Sequence[Splits]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """The labels of several data sets that are seen as one, and the texts of the languages that describe them all."""
    labels = list(dict.fromkeys(label for splits in parts for label in getattr(splits, "labels", ())))
    described: dict[str, dict[str, str]] = {}
    for splits in parts:
        for language, texts in getattr(splits, "class_texts", {}).items():
            described.setdefault(language, {}).update(texts)
    whole = {language: texts for language, texts in described.items() if texts.keys() >= set(labels)}
    return labels, {language: {label: texts[label] for label in labels} for language, texts in whole.items()}


def _rank(name: str) -> tuple[int, str]:
    return (SPLITS.index(name) if name in SPLITS else len(SPLITS), name)
