"""The figures of `metrics.json`, each with the floor it must beat, the number asked of it, and its uncertainty.

A task's entry is a flat mapping of numbers. Besides its metrics it may hold

- `count`, the size of the test set, and `candidates`, the size of a gallery;
- `floor`, or floors that say where they come from: `majority_floor`, `question_only_floor`, `blind_floor`,
  `chance_floor`. They belong to the task's headline figures, or to one figure alone: `image_to_text_r1_floor`.

`metrics["asked"]` may mirror `tasks` and `held_out` with the numbers that were asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tuwen.metrics.classification import wilson_interval
from tuwen.report.labels import FLOORS, KINDS, SPLITS, TASKS, Label, label

Numbers = Mapping[str, Any]


class Unit(Enum):
    """How a figure is written, and the length of its bar where it has one."""

    SHARE = "share"
    TEN = "ten"
    PLAIN = "plain"

    def show(self, value: float) -> str:
        """The number as a person writes it."""
        if self is Unit.SHARE:
            return f"{100 * value:.1f} %"
        return f"{value:.2f}" if self is Unit.TEN else f"{value:,.4g}"

    @property
    def full(self) -> float | None:
        """The value of a full bar, or None for no bar."""
        return {Unit.SHARE: 1.0, Unit.TEN: 10.0, Unit.PLAIN: None}[self]


@dataclass(frozen=True, slots=True)
class Metric:
    """What is known of a metric. A headline stands large, beside its floor; `counted`: a share of `count` items."""

    label: Label
    unit: Unit = Unit.SHARE
    headline: bool = False
    counted: bool = False


def _directions(suffix: str, en: str, zh: str, unit: Unit, headline: bool = False) -> dict[str, Metric]:
    return {
        f"image_to_text_{suffix}": Metric(Label(f"Picture → text, {en}", f"以图搜文，{zh}"), unit, headline),
        f"text_to_image_{suffix}": Metric(Label(f"Text → picture, {en}", f"以文搜图，{zh}"), unit, headline),
    }


def _of_kinds(suffix: str, en: str, zh: str, unit: Unit = Unit.SHARE) -> dict[str, Metric]:
    """A figure for each kind of question."""
    return {
        f"{kind}_{suffix}": Metric(Label(f"{en}, {name.en}", f"{zh}，{name.zh}"), unit) for kind, name in KINDS.items()
    }


_SHOTS = {
    f"{ways}_way_{shots}_shot": Metric(
        Label(f"{ways} words, {shots} pictures of each", f"{ways} 个新词，每词 {shots} 图"), headline=True, counted=True
    )
    for ways in (2, 3, 5, 10, 20)
    for shots in (0, 1, 3, 5)
} | {
    f"{shots}_shot_accuracy": Metric(
        Label(f"Accuracy after {shots} examples", f"{shots} 个示例后的准确率"), headline=True, counted=True
    )
    for shots in (0, 1, 2, 4, 8)
}
"""Figures of prompts with examples."""

METRICS: dict[str, Metric] = {
    "exact_match": Metric(Label("Exact match", "逐字一致"), headline=True, counted=True),
    "accuracy": Metric(Label("Accuracy", "准确率"), headline=True, counted=True),
    "zero_shot_accuracy": Metric(Label("Zero-shot accuracy", "零样本准确率"), headline=True, counted=True),
    **_directions("r1", "R@1", "R@1", Unit.SHARE, headline=True),
    **_directions("r5", "R@5", "R@5", Unit.SHARE),
    **_directions("r10", "R@10", "R@10", Unit.SHARE),
    **_directions("median_rank", "median rank", "名次中位数", Unit.PLAIN),
    "recall_at_1": Metric(Label("Right text first", "正确文本居首"), headline=True, counted=True),
    "better_than_another": Metric(Label("Right text before another", "正确文本胜过另一文本")),
    "cider": Metric(Label("CIDEr-D", "CIDEr-D"), Unit.TEN),
    **{f"bleu_{n}": Metric(Label(f"BLEU-{n}", f"BLEU-{n}")) for n in range(1, 5)},
    "rouge_l": Metric(Label("ROUGE-L", "ROUGE-L")),
    "nats_per_character": Metric(Label("Nats a character", "每字符奈特"), Unit.PLAIN, headline=True),
    "perplexity": Metric(Label("Perplexity", "困惑度"), Unit.PLAIN),
    "masked_accuracy": Metric(Label("Hidden words guessed", "掩码预测准确率"), headline=True),
    "masked_perplexity": Metric(Label("Perplexity of hidden words", "掩码困惑度"), Unit.PLAIN),
    **_SHOTS,
    **{
        f"{name}_in_words": Metric(Label(f"{metric.label.en}, told in words", f"{metric.label.zh}，以文字代图"))
        for name, metric in _SHOTS.items()
    },
    "named_alone": Metric(Label("Named rightly, alone", "单独命名正确")),
    "named_in_company": Metric(Label("Named rightly, behind others", "排在他图之后命名正确")),
    **_of_kinds("accuracy", "Accuracy", "准确率"),
    **_of_kinds("rouge_l", "ROUGE-L", "ROUGE-L"),
    **_of_kinds("mae", "Mean absolute error", "平均绝对误差", Unit.PLAIN),
    **_of_kinds("mse", "Mean squared error", "均方误差", Unit.PLAIN),
    "macro_f1": Metric(Label("Macro F1", "宏平均 F1")),
    "micro_f1": Metric(Label("Micro F1", "微平均 F1")),
    "macro_precision": Metric(Label("Macro precision", "宏平均精确率")),
    "macro_recall": Metric(Label("Macro recall", "宏平均召回率")),
}
_NOT_FIGURES = ("count", "candidates", "floor")


@dataclass(frozen=True, slots=True)
class Floor:
    """What is reached without looking, and how."""

    label: Label
    value: float


@dataclass(frozen=True, slots=True)
class Value:
    """One measured number. `floors`: strongest first; `interval`: 95 %; `count`: size of the test set."""

    value: float
    floors: tuple[Floor, ...] = ()
    asked: float | None = None
    interval: tuple[float, float] | None = None
    count: int | None = None

    @property
    def met(self) -> bool | None:
        """Whether it is what was asked; None where nothing was."""
        return None if self.asked is None else self.value >= self.asked


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of one task, on every split that has it (by the keys of `metrics.json`)."""

    name: str
    metric: Metric
    values: dict[str, Value]


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """The figures of one task, headline figures first. `candidates`: the gallery of each split, where there is one."""

    name: str
    label: Label
    figures: tuple[Figure, ...]
    candidates: dict[str, int]

    @property
    def headlines(self) -> list[Figure]:
        """The figures that stand large: those known as headlines, or all where none is."""
        return [figure for figure in self.figures if figure.metric.headline] or list(self.figures)


def splits_of(metrics: Numbers) -> list[str]:
    """Which of `tasks` and `held_out` were measured."""
    return [name for name in SPLITS if metrics.get(name)]


def read_figures(metrics: Numbers) -> list[TaskFigures]:
    """Every task of `metrics.json`, those that the page knows first."""
    splits = splits_of(metrics)
    found = {task for split in splits for task in metrics[split]}
    order = [task for task in TASKS if task in found] + sorted(found - TASKS.keys())
    return [_task(task, {split: metrics[split].get(task, {}) for split in splits}, metrics) for task in order]


def _task(task: str, entries: dict[str, Numbers], metrics: Numbers) -> TaskFigures:
    names = {name for entry in entries.values() for name, value in entry.items() if _is_figure(name, value)}
    order = [name for name in METRICS if name in names] + sorted(names - METRICS.keys())
    figures = []
    for name in order:
        metric = METRICS.get(name, Metric(label({}, name), Unit.PLAIN))
        asked = {split: metrics.get("asked", {}).get(split, {}).get(task, {}).get(name) for split in entries}
        values = {split: _value(name, metric, entry, asked[split]) for split, entry in entries.items() if name in entry}
        figures.append(Figure(name, metric, values))
    figures.sort(key=lambda figure: not figure.metric.headline)
    candidates = {split: int(entry["candidates"]) for split, entry in entries.items() if "candidates" in entry}
    return TaskFigures(task, label(TASKS, task), tuple(figures), candidates)


def _is_figure(name: str, value: Any) -> bool:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return numeric and name not in _NOT_FIGURES and not name.endswith("_floor")


def _value(name: str, metric: Metric, entry: Numbers, asked: float | None) -> Value:
    value, count = float(entry[name]), entry.get("count")
    interval = wilson_interval(round(value * count), count) if metric.counted and count and 0 <= value <= 1 else None
    floors = sorted(_floors(name, metric, entry), key=lambda floor: -floor.value)
    return Value(value, tuple(floors), asked, interval, int(count) if count else None)


def _floors(name: str, metric: Metric, entry: Numbers) -> list[Floor]:
    """The figure's own floors, and the task's where it is a headline; R@1 in a gallery without a floor has chance."""
    named: dict[str, float] = {}
    for key, value in entry.items():
        if not key.endswith("floor"):
            continue
        owner = next((other for other in entry if key.startswith(f"{other}_")), None)
        if owner == name or (owner is None and metric.headline):
            named[key.removeprefix(f"{owner}_").removesuffix("_floor")] = float(value)
    if not named and name.endswith("_r1") and entry.get("candidates"):
        named["chance"] = 1 / entry["candidates"]
    if "floor" in named and named["floor"] in [value for key, value in named.items() if key != "floor"]:
        del named["floor"]  # It repeats one that says where it comes from.
    return [Floor(label(FLOORS, key), value) for key, value in named.items()]
