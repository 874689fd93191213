"""What a sweep found: a table with mean and spread over the seeds, the same as data, and a picture."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from tuwen.report.figures import METRICS, Metric, Unit
from tuwen.report.labels import KINDS, SPLITS, TALLIES, TASKS, Label, label

NAME = "sweep"
"""Of the files: `sweep.md`, `sweep.csv`, `sweep.json`, `sweep.png`."""

INK, SOFT, MARK, FLOOR = "#1d1c1a", "#6b665d", "#b3331f", "#9a948a"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a sweep.

    labels: its place on each axis. seed, folder: of the run. error: why it failed, or None.
    values: its figures by dotted key (`tasks.vqa.accuracy`). floors: what is reached without understanding, likewise.
    facts: `parameters`, `pairs_per_second`, `train_seconds`; empty where it failed. objectives: what it was trained by.
    """

    labels: tuple[str, ...]
    seed: int
    folder: str
    values: Mapping[str, float]
    floors: Mapping[str, float]
    facts: Mapping[str, float]
    error: str | None = None
    objectives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sweep:
    """All runs that ended so far, in the order of the grid. axes: their names. figures: the dotted keys to compare.
    planned: how many runs there will be."""

    axes: tuple[str, ...]
    figures: tuple[str, ...]
    runs: tuple[Run, ...]
    planned: int

    def cells(self) -> dict[tuple[str, ...], list[Run]]:
        """The runs at each place of the grid, one a seed."""
        found: dict[tuple[str, ...], list[Run]] = {}
        for run in self.runs:
            found.setdefault(run.labels, []).append(run)
        return found

    @property
    def drawn(self) -> bool:
        """Whether there is a picture: once all runs have ended, not all of them ill."""
        return len(self.runs) == self.planned and any(run.error is None for run in self.runs)

    def save(self, folder: Path) -> None:
        """Write the table as Markdown, CSV and JSON, and the picture."""
        contents = {"md": self.markdown().encode(), "csv": self.csv().encode(), "json": self.json().encode()}
        if self.drawn:
            contents["png"] = plot(self)
        for suffix, content in contents.items():
            part = folder / f"{NAME}.{suffix}.part"
            part.write_bytes(content)
            part.replace(folder / f"{NAME}.{suffix}")

    def markdown(self) -> str:
        """The table: a row for each place of the grid; mean ± standard deviation (n - 1) over its seeds."""
        titles = [title(figure) for figure in self.figures]
        header = [*self.axes, *(words.en for words in titles), "parameters", "pairs/s", "seeds"]
        rows = [self._row(labels, runs) for labels, runs in self.cells().items()]
        floors = [self.floor(figure) for figure in self.figures]
        if any(floor is not None for floor in floors):
            shown = ["" if floor is None else unit(figure).show(floor) for figure, floor in zip(self.figures, floors)]  # noqa: B905
            rows.append(["*floor*", *[""] * (len(self.axes) - 1), *shown, "", "", ""])
        lines = [header, ["---"] * len(header), *rows]
        table = "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
        return table + self._notes()

    def csv(self) -> str:
        """A row for each run."""
        names = ["parameters", "pairs_per_second", "train_seconds"]
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow([*self.axes, "seed", *self.figures, *names, "folder", "error"])
        for run in self.runs:
            figures = [run.values.get(figure, "") for figure in self.figures]
            facts = [run.facts.get(name, "") for name in names]
            writer.writerow([*run.labels, run.seed, *figures, *facts, run.folder, run.error or ""])
        return buffer.getvalue()

    def json(self) -> str:
        """All runs, and the mean and the standard deviation at each place of the grid."""
        cells = [
            {"labels": dict(zip(self.axes, labels, strict=True)), "figures": self._figures(runs), "seeds": len(runs)}
            for labels, runs in self.cells().items()
        ]
        runs = [
            {
                "labels": dict(zip(self.axes, run.labels, strict=True)),
                **{name: getattr(run, name) for name in ("seed", "folder", "error")},
                **{name: dict(getattr(run, name)) for name in ("values", "floors", "facts")},
            }
            for run in self.runs
        ]
        return json.dumps({"planned": self.planned, "cells": cells, "runs": runs}, ensure_ascii=False, indent=2) + "\n"

    def _figures(self, runs: Sequence[Run]) -> dict[str, Any]:
        spreads = {
            figure: spread(run.values[figure] for run in runs if figure in run.values) for figure in self.figures
        }
        return {figure: {"mean": found[0], "sd": found[1]} for figure, found in spreads.items() if found}

    def _row(self, labels: tuple[str, ...], runs: Sequence[Run]) -> list[str]:
        good = [run for run in runs if run.error is None]
        figures = [_show(unit(figure), spread(run.values[figure] for run in good if figure in run.values))
                   for figure in self.figures]  # fmt: skip
        sizes = sorted({int(run.facts["parameters"]) for run in good})
        size = " – ".join(f"{number:,}" for number in sizes[:: max(1, len(sizes) - 1)])
        rate = f"{fmean(run.facts['pairs_per_second'] for run in good):,.0f}" if good else ""
        seeds = f"{len(good)} of {len(runs)}" if len(good) < len(runs) else str(len(runs))
        return [*labels, *figures, size, rate, seeds]

    def floor(self, figure: str) -> float | None:
        """The mean over the runs of what is reached without understanding; None where no run has it."""
        found = [run.floors[figure] for run in self.runs if figure in run.floors]
        return fmean(found) if found else None

    def _notes(self) -> str:
        failed = [run for run in self.runs if run.error is not None]
        lines = [f"- failed: {', '.join(run.labels)}, seed {run.seed}: {run.error}" for run in failed]
        every = {objective for run in self.runs for objective in run.objectives}
        for labels, runs in self.cells().items():
            without = sorted(every - {objective for run in runs for objective in run.objectives})
            if without and any(run.error is None for run in runs):
                lines.append(f"- trained without {', '.join(without)}: {', '.join(labels)}")
        if len(self.runs) < self.planned:
            lines.append(f"- {self.planned - len(self.runs)} of {self.planned} runs are still to come")
        return "\n" + "".join(f"{line}\n" for line in lines) if lines else ""


def spread(values: Iterable[float]) -> tuple[float, float | None] | None:
    """Mean and standard deviation (n - 1; None of one value), or None of no value."""
    found = list(values)
    return (fmean(found), stdev(found) if len(found) > 1 else None) if found else None


def unit(figure: str) -> Unit:
    """How a figure is written."""
    return METRICS.get(figure.rpartition(".")[2], Metric(Label("", ""))).unit


def title(figure: str) -> Label:
    """A figure's dotted key in words: `Question answering, held out: Accuracy`."""
    place, _, rest = figure.partition(".")
    task, _, metric = rest.partition(".")
    name = METRICS[metric].label if metric in METRICS else label(KINDS, metric)
    above = TASKS.get(task) or label(TALLIES, task)
    where = [label(SPLITS, place)[side] for side in (0, 1)]
    return Label(*(f"{above[side]}, {where[side]}: {name[side]}" for side in (0, 1)))


def _show(kind: Unit, found: tuple[float, float | None] | None) -> str:
    if found is None:
        return "–"
    mean, deviation = found
    return kind.show(mean) if deviation is None else f"{kind.show(mean)} ± {kind.show(deviation).removesuffix(' %')}"


def plot(sweep: Sweep) -> bytes:
    """A PNG: a panel for each figure, a line for each place of the grid, a ring for each seed, a dot for their mean."""
    from matplotlib.figure import Figure

    cells = {labels: [run for run in runs if run.error is None] for labels, runs in sweep.cells().items()}
    names = [" · ".join(labels) for labels in cells]
    columns = min(3, len(sweep.figures)) or 1
    rows = math.ceil(len(sweep.figures) / columns)
    left = 0.09 * max(map(len, names)) + 0.3
    size = (left + 3.1 * columns, rows * (0.3 * len(cells) + 1.0))
    figure = Figure(figsize=size, dpi=160, facecolor="white", layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flat
    for axes, key in zip(panels, sweep.figures, strict=False):
        factor = 100 if unit(key) is Unit.SHARE else 1
        for place, runs in enumerate(cells.values()):
            values = [factor * run.values[key] for run in runs if key in run.values]
            found = spread(values)
            if found is None:
                continue
            axes.plot(values, [place] * len(values), "o", markersize=5, markerfacecolor="none", color=SOFT, alpha=0.8)
            axes.errorbar(found[0], place, xerr=found[1], fmt="o", markersize=6, color=MARK, capsize=3, linewidth=1.4)
        floor = sweep.floor(key)
        if floor is not None:
            axes.axvline(factor * floor, linestyle=(0, (4, 3)), linewidth=1, color=FLOOR)
            axes.text(factor * floor, len(cells) - 0.42, " floor", fontsize=7, color=SOFT, va="bottom")
        axes.set_title(title(key).en.replace(": ", "\n"), fontsize=9, color=INK, loc="left")
        axes.set_yticks(range(len(cells)), names, fontsize=8)
        axes.set_ylim(len(cells) - 0.4, -0.65)
        axes.tick_params(axis="x", labelsize=8)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("%" if factor == 100 else "", fontsize=8)
        axes.grid(axis="x", linewidth=0.4, color="#dedad2")
        axes.spines[["top", "right", "left"]].set_visible(False)
    for axes in list(panels):
        axes.set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "Tuwen"})
    return buffer.getvalue()
