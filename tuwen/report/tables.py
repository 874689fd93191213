"""The figures of `metrics.json` as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from tuwen.report.figures import Figure, Unit, Value, read_figures, splits_of
from tuwen.report.labels import SPLITS, Label

_FIGURE, _FLOOR, _ASKED = Label("Figure", "指标"), Label("Floor", "基线"), Label("Asked", "要求")


def metrics_table(metrics: Mapping[str, Any], language: Literal["en", "zh"] = "en", every: bool = False) -> Table:
    """A Rich table: each figure on every split, green with ✓ or red with ✗ where a number was asked for it.

    Floor and asked numbers stand split by split, as in `61.0 % / 59.9 %`; of several floors it is the strongest.
    `every`: all figures, and not the headline figures alone.
    """
    side = Label._fields.index(language)
    splits, tasks = splits_of(metrics), read_figures(metrics)
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=bool(tasks))
    table.add_column(_FIGURE[side])
    for split in splits:
        table.add_column(SPLITS[split][side], justify="right", no_wrap=True)
    table.add_column(_FLOOR[side])
    asked = any(
        value.asked is not None for task in tasks for figure in task.figures for value in figure.values.values()
    )
    if asked:
        table.add_column(_ASKED[side])
    for task in tasks:
        table.add_row(Text(task.label[side], style="bold"))
        for figure in task.figures if every else task.headlines:
            found, unit = [figure.values.get(split) for split in splits], figure.metric.unit
            row = [Text(f"  {figure.metric.label[side]}"), *(_value(value, unit) for value in found)]
            row.append(Text(_floors(figure, side), style="dim"))
            if asked:
                row.append(Text(_each(unit, (value.asked if value else None for value in found)), style="dim"))
            table.add_row(*row)
    return table


def _value(value: Value | None, unit: Unit) -> Text:
    if value is None:
        return Text("–", style="dim")
    if value.met is None:
        return Text(f"{unit.show(value.value)}  ")
    return Text(f"{unit.show(value.value)} {'✓' if value.met else '✗'}", style="green" if value.met else "bold red")


def _floors(figure: Figure, side: int) -> str:
    strongest = [value.floors[0] for value in figure.values.values() if value.floors]
    names = dict.fromkeys(floor.label[side] for floor in strongest)
    return f"{' / '.join(names)} {_each(figure.metric.unit, (floor.value for floor in strongest))}" if names else ""


def _each(unit: Unit, values: Iterable[float | None]) -> str:
    """The values that there are, once where all are the same."""
    shown = [unit.show(value) for value in values if value is not None]
    return " / ".join(shown if len(set(shown)) > 1 else shown[:1])
