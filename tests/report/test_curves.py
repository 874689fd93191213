import json
import math
import random
import re
from itertools import pairwise

import pytest

from tuwen.report.curves import BOTTOM, LEFT, MOST_POINTS, RIGHT, TOP, chart


def coordinates(path):
    return [tuple(map(float, pair.split(","))) for pair in re.findall(r"[\d.]+,[\d.-]+", path)]


def test_a_line_by_hand():
    drawn = chart("loss", [(0, 4.0), (50, 2.0), (100, 0.0)])
    assert coordinates(drawn.line) == [(LEFT, TOP), ((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2), (RIGHT, BOTTOM)]
    assert [text for _, text in drawn.ticks_y] == ["0", "1", "2", "3", "4"]
    assert [text for _, text in drawn.ticks_x] == ["0", "20", "40", "60", "80", "100"]
    assert (drawn.raw, drawn.log_scale, drawn.last) == ("", False, "0")
    assert json.loads(drawn.points)[1] == [(LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2, "50", "2"]


def test_three_decades_get_a_logarithmic_axis():
    drawn = chart("loss", [(0, 10.0), (1000, 1.0), (2000, 0.1)])
    assert drawn.log_scale
    assert coordinates(drawn.line)[1] == pytest.approx(((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2), abs=0.06)
    assert [text for _, text in drawn.ticks_y] == ["0.1", "0.3", "1", "3", "10"]


def test_shares_are_percent_and_start_at_zero():
    drawn = chart("waiting", [(0, 0.001), (10, 0.03)], as_share=True)
    assert [text for _, text in drawn.ticks_y] == ["0 %", "1 %", "2 %", "3 %"]
    assert drawn.last == "3 %"


def test_noise_is_smoothed_without_lag_and_the_values_stay_visible():
    rng = random.Random(0)
    drawn = chart("loss", [(step, 300.0 - step + rng.uniform(-20, 20)) for step in range(200)])
    line, raw = coordinates(drawn.line), coordinates(drawn.raw)
    assert len(line) == len(raw) == 200

    def roughness(points):
        return sum(abs(a[1] - b[1]) for a, b in pairwise(points))

    assert roughness(line) < roughness(raw) / 4
    assert sum(y for _, y in line) == pytest.approx(sum(y for _, y in raw), rel=1e-3)
    assert chart("learning_rate", [(step, 1.0 - step / 200) for step in range(200)], noisy=False).raw == ""


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_drawn_stays_in_its_box(seed):
    rng = random.Random(seed)
    scale, offset = 10 ** rng.uniform(-6, 6), rng.choice([0.0, rng.uniform(-3, 3)])
    values = [scale * (offset + rng.random()) for _ in range(rng.choice([1, 2, 7, 50, 1500]))]
    drawn = chart("any", list(enumerate(values, start=rng.randint(0, 10**6))))
    points = coordinates(drawn.line) + coordinates(drawn.raw)
    assert len(coordinates(drawn.line)) <= MOST_POINTS
    assert all(LEFT - 0.1 <= x <= RIGHT + 0.1 and TOP - 0.1 <= y <= BOTTOM + 0.1 for x, y in points)
    assert len(drawn.ticks_y) >= 2
    assert len({text for _, text in drawn.ticks_y}) == len(drawn.ticks_y)
    assert all(TOP - 0.1 <= y <= BOTTOM + 0.1 for y, _ in drawn.ticks_y)


@pytest.mark.parametrize("value", [0.0, 0.5, -3.0, 1e-12])
def test_constants(value):
    drawn = chart("flat", [(0, value), (10, value)])
    (_, first), (_, second) = coordinates(drawn.line)
    assert first == second


def test_what_is_not_finite_is_left_out():
    drawn = chart("loss", [(0, 1.0), (1, math.nan), (2, math.inf), (3, 2.0)])
    assert len(coordinates(drawn.line)) == 2
    assert chart("loss", [(0, math.nan)]) is None
    assert chart("loss", []) is None
