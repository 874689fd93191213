"""What fine-tuning took away: what a model could do before, on the way, and after; and what lies between the two.

`forgetting.json` in a run folder; `forgetting.png` shows it. The figures are shares, the higher the better, by their
task and name: `retrieve.text_to_image_r1`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from rich.table import Table
from rich.text import Text

from tuwen.core.errors import DataError
from tuwen.report.figures import METRICS
from tuwen.report.labels import TASKS, Label, label

FILE_NAME = "forgetting.json"
PICTURE = "forgetting.png"

INK, SOFT, KEPT, LEARNED = "#1d1c1a", "#6b665d", "#2c5a86", "#b3331f"
MARKERS = "osD^vP"

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Moment:
    """The guarded figures at a step of the fine-tuning; 0 is before it."""

    step: int
    kept: Figures


@dataclass(frozen=True, slots=True)
class Mixed:
    """The weights `(1 - alpha) · pretrained + alpha · fine-tuned`: what they keep, and what they have learned."""

    alpha: float
    kept: Figures
    learned: Figures

    @property
    def score(self) -> float:
        """The mean of what is kept and of what is learned, each the mean of its figures."""
        return (fmean(self.kept.values()) + fmean(self.learned.values())) / 2


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Everything that was measured.

    path: from the first step to the last. curve: by ascending alpha, on every second sample; empty where none was asked
        for. alpha: the share that was chosen on it. confirmed: the pretrained, the chosen and the fine-tuned weights on
        the other samples, which had no part in the choice.
    """

    path: tuple[Moment, ...]
    curve: tuple[Mixed, ...] = ()
    alpha: float | None = None
    confirmed: tuple[Mixed, ...] = ()

    @property
    def lost(self) -> Figures:
        """How much lower each guarded figure is after the last step than before the first; negative where it rose."""
        before, after = self.path[0].kept, self.path[-1].kept
        return {name: before[name] - after[name] for name in before}

    def summary(self) -> dict[str, float]:
        """The means, for `metrics.json`."""
        found = {"kept_before": fmean(self.path[0].kept.values()), "kept_after": fmean(self.path[-1].kept.values())}
        if self.alpha is None:
            return found
        chosen, whole = self.confirmed[1:]
        return found | {
            "alpha": self.alpha,
            "kept_at_alpha": fmean(chosen.kept.values()),
            "learned_at_alpha": fmean(chosen.learned.values()),
            "kept_at_1": fmean(whole.kept.values()),
            "learned_at_1": fmean(whole.learned.values()),
        }

    def save(self, folder: Path) -> None:
        """Write `forgetting.json` and `forgetting.png`."""
        for name, content in {FILE_NAME: _FILE.dump_json(self, indent=1) + b"\n", PICTURE: plot(self)}.items():
            part = folder / f"{name}.part"
            part.write_bytes(content)
            part.replace(folder / name)

    @classmethod
    def load(cls, folder: Path) -> Forgetting:
        """Read `forgetting.json` of a run folder.

        Raises:
            DataError: the file is missing or is not what `save` writes.
        """
        file = folder / FILE_NAME
        try:
            return _FILE.validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise DataError(f"{file} cannot be read ({error}): take it away to make the page without it") from error


_FILE = TypeAdapter(Forgetting)


def figure_label(name: str) -> Label:
    """`retrieve.text_to_image_r1` in words."""
    task, _, metric = name.rpartition(".")
    words = METRICS[metric].label if metric in METRICS else label({}, metric)
    above = label(TASKS, task)
    return Label(*(f"{above[side]}: {words[side]}" for side in (0, 1)))


def forgetting_table(found: Forgetting, language: Literal["en", "zh"] = "en") -> Table:
    """A Rich table: each guarded figure before and after, what it lost, and both kinds at the chosen interpolation."""
    side = Label._fields.index(language)
    heads = (Label("Kept", "保持"), Label("before", "之前"), Label("after", "之后"), Label("change", "变化"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, head in enumerate(heads):
        table.add_column(head[side], justify="right" if number else "left", no_wrap=bool(number))
    for name, lost in found.lost.items():
        shown = (found.path[0].kept[name], found.path[-1].kept[name])
        style = "bold red" if lost > 0.005 else "green"
        points = Text(f"{0 - 100 * lost:+.1f}", style=style)
        table.add_row(figure_label(name)[side], *(f"{100 * value:.1f} %" for value in shown), points)
    return table


def mixed_table(found: Forgetting, language: Literal["en", "zh"] = "en") -> Table:
    """A Rich table: the pretrained, the interpolated and the fine-tuned weights on the samples that confirm."""
    side = Label._fields.index(language)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(Label("Weights between the two", "两者之间的权重")[side])
    for mixed in found.confirmed:
        table.add_column(f"alpha {mixed.alpha:g}", justify="right", no_wrap=True)
    for kind in ("kept", "learned"):
        for name in getattr(found.confirmed[0], kind):
            values = (getattr(mixed, kind)[name] for mixed in found.confirmed)
            table.add_row(figure_label(name)[side], *(f"{100 * value:.1f} %" for value in values))
    return table


def plot(found: Forgetting) -> bytes:
    """A PNG: the guarded figures over the steps, and what is kept against what is learned along the interpolation."""
    from matplotlib.figure import Figure

    panels = 2 if found.curve else 1
    figure = Figure(figsize=(4.6 * panels + 0.2, 3.7), dpi=160, facecolor="white", layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    _plot_path(axes[0], found.path)
    if found.curve:
        _plot_curve(axes[1], found)
    for each in axes:
        each.tick_params(labelsize=8)
        each.grid(linewidth=0.4, color="#dedad2")
        each.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "Tuwen"})
    return buffer.getvalue()


def _plot_path(axes: Any, path: tuple[Moment, ...]) -> None:
    steps = [moment.step for moment in path]
    for number, name in enumerate(path[0].kept):
        values = [100 * moment.kept[name] for moment in path]
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(steps, values, marker=marker, markersize=4, linewidth=1.4, label=figure_label(name).en)
    axes.set_title("During fine-tuning", fontsize=10, color=INK, loc="left")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("step", fontsize=9)
    axes.set_ylabel("%", fontsize=9)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7, frameon=False)


def _plot_curve(axes: Any, found: Forgetting) -> None:
    kept = [100 * fmean(mixed.kept.values()) for mixed in found.curve]
    learned = [100 * fmean(mixed.learned.values()) for mixed in found.curve]
    axes.plot(kept, learned, "o-", color=SOFT, markersize=4, linewidth=1.2)
    for mixed, x, y in zip(found.curve, kept, learned, strict=True):
        if mixed.alpha in (0, 1):
            words = "pretrained" if mixed.alpha == 0 else "fine-tuned"
            axes.annotate(words, (x, y), (6, 6), textcoords="offset points", fontsize=8, color=INK)
        if mixed.alpha == found.alpha:
            axes.plot([x], [y], "*", color=LEARNED, markersize=13)
            words = f"alpha {mixed.alpha:g}"
            axes.annotate(words, (x, y), (8, -12), textcoords="offset points", fontsize=8, color=LEARNED)
    axes.set_title("Between the two weights", fontsize=10, color=INK, loc="left")
    axes.set_xlabel("kept: mean of the guarded figures, %", fontsize=9)
    axes.set_ylabel("learned: mean of the task's figures, %", fontsize=9)
    axes.margins(x=0.16, y=0.12)


def headline_shares(figures: Mapping[str, Mapping[str, float]]) -> Figures:
    """The headline shares of some tasks, as evaluation gives them: `{"classify.accuracy": 0.9}`."""
    return {
        f"{task}.{name}": value
        for task, values in figures.items()
        for name, value in values.items()
        if name in METRICS and METRICS[name].headline and METRICS[name].unit.full == 1.0
    }
