"""Curves as geometry: where the lines, ticks and labels of a small chart lie. The template draws it as SVG."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from tuwen.report.log import Series

WIDTH, HEIGHT = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 54, 350, 12, 160
MOST_POINTS = 400
SMOOTH_FROM = 40
"""Fewer points than this are drawn as they are."""

Ticks = list[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Chart:
    """One curve in a box of `WIDTH` × `HEIGHT`; y grows downwards.

    line: SVG path of the (smoothed) curve; raw: path of the values themselves where `line` is smoothed.
    points: JSON `[[x, y, step, value], ...]` for reading values off under the pointer.
    last: the last value, written out.
    """

    name: str
    line: str
    raw: str
    points: str
    ticks_x: Ticks
    ticks_y: Ticks
    log_scale: bool
    last: str


def chart(name: str, series: Series, as_share: bool = False, noisy: bool = True) -> Chart | None:
    """Draw a series; None where there is no finite value.

    `as_share` writes 0.02 as 2 %; a `noisy` series of `SMOOTH_FROM` points or more gets a smoothed line over it.

    A series of positive values that spans more than a factor of 20 gets a logarithmic axis.
    """
    points = _thinned([(step, value) for step, value in series if math.isfinite(value)])
    if not points:
        return None
    values = [value for _, value in points]
    log_scale = min(values) > 0 and max(values) > 20 * min(values) and not as_share
    low, high, marks = _log_axis(values) if log_scale else _linear_axis(values)
    first, last = points[0][0], max(points[-1][0], points[0][0] + 1)
    write = _percent if as_share else _plain

    def x(step: float) -> float:
        return LEFT + (RIGHT - LEFT) * (step - first) / (last - first)

    def y(value: float) -> float:
        scale: Callable[[float], float] = math.log if log_scale else float
        return BOTTOM - (BOTTOM - TOP) * (scale(value) - scale(low)) / (scale(high) - scale(low))

    places = [(x(step), y(value)) for step, value in points]
    smooth = noisy and len(points) >= SMOOTH_FROM
    averaged = _averaged([place for _, place in places]) if smooth else [place for _, place in places]
    return Chart(
        name=name,
        line=_path([(place, height) for (place, _), height in zip(places, averaged, strict=True)]),
        raw=_path(places) if smooth else "",
        points=json.dumps(
            [
                [round(place, 1), round(height, 1), f"{step:,.0f}", write(value)]
                for (place, height), (step, value) in zip(places, points, strict=True)
            ]
        ),
        ticks_x=[(x(step), f"{step:,.0f}") for step in _nice_steps(first, last, 7) if step == int(step)],
        ticks_y=[(y(mark), write(mark)) for mark in marks],
        log_scale=log_scale,
        last=write(points[-1][1]),
    )


def _thinned(series: Series) -> Series:
    """At most `MOST_POINTS` points, each the mean of its share of the series."""
    size = math.ceil(len(series) / MOST_POINTS) or 1
    groups = [series[start : start + size] for start in range(0, len(series), size)]
    return [(group[-1][0], fmean(value for _, value in group)) for group in groups]


def _averaged(values: Sequence[float]) -> list[float]:
    """The mean around each value, of a window that shrinks towards both ends: smooth without lagging behind."""
    reach = len(values) // 30
    sides = [min(reach, place, len(values) - 1 - place) for place in range(len(values))]
    return [fmean(values[place - side : place + side + 1]) for place, side in enumerate(sides)]


def _linear_axis(values: Sequence[float]) -> tuple[float, float, list[float]]:
    low, high = min(values), max(values)
    if high - low <= 1e-6 * max(abs(low), abs(high)):  # A constant: draw it in the middle.
        low, high = (min(0.0, 2 * low), max(0.0, 2 * low)) if low else (0.0, 1.0)
    elif 0 <= low < high / 2:
        low = 0.0
    marks = _nice_steps(low, high, 4)
    step = marks[1] - marks[0]
    if marks[-1] < high:
        marks.append(marks[-1] + step)
    if marks[0] > low:
        marks.insert(0, marks[0] - step)
    return marks[0], marks[-1], marks


def _log_axis(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """Ticks at 1, 2, 5 of each decade, or at the decades alone where there are many."""
    low, high = min(values), max(values)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1, 2, 5) if math.log10(high / low) < 2 else (1, 3) if math.log10(high / low) < 3 else (1,)
    marks = [digit * 10.0**power for power in decades for digit in digits]
    below = max((mark for mark in marks if mark <= low), default=low)
    above = min((mark for mark in marks if mark >= high), default=high)
    return below, above, [mark for mark in marks if below <= mark <= above]


def _nice_steps(low: float, high: float, wanted: int) -> list[float]:
    """Round numbers between two, about as many as wanted."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _path(places: Sequence[tuple[float, float]]) -> str:
    if len(places) == 1:
        return f"M{places[0][0]:.1f},{places[0][1]:.1f}h0.01"  # A dot, by its round line cap.
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _plain(value: float) -> str:
    """Three significant digits: 0.00125, 12.3, 1,230, 1e-05."""
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.2g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _percent(value: float) -> str:
    return f"{_plain(100 * value)} %"
