"""The learning rate of each step, also where the number of steps changes on the way."""

import itertools
import json
import math

import pytest

from tuwen.train.plan import Plan, learning_rate


def rates(plan: Plan, total: int, warmup: float = 0.1, floor: float = 0.0) -> list[float]:
    return [learning_rate(plan, step, highest=1.0, warmup=warmup, floor=floor) for step in range(total)]


@pytest.mark.parametrize("warmup", [10, 0.1])
def test_it_rises_to_the_highest_and_falls_on_a_cosine_to_the_floor(warmup: float) -> None:
    curve = rates(Plan.of(100), 100, warmup, floor=0.2)
    assert curve[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert curve[10] == 1.0
    assert curve[55] == pytest.approx(0.6)  # half way down from 1 to 0.2
    assert curve[99] == pytest.approx(0.2 + 0.8 * 0.5 * (1 + math.cos(math.pi * 89 / 90)))
    assert all(earlier >= later for earlier, later in itertools.pairwise(curve[9:]))


def test_it_is_held_at_the_highest_and_then_falls_on_the_same_cosine() -> None:
    held = [learning_rate(Plan.of(100), step, highest=1.0, warmup=0.1, floor=0.0, hold=0.6) for step in range(100)]
    assert held[10:61] == [1.0] * 51
    assert held[80] == pytest.approx(0.5)
    assert held[99] == pytest.approx(0.5 * (1 + math.cos(math.pi * 39 / 40)))


def test_without_warmup_it_begins_at_the_highest() -> None:
    assert rates(Plan.of(10), 10, warmup=0)[0] == 1.0
    assert rates(Plan.of(1), 1, warmup=0) == [1.0]


def test_it_may_stay_at_the_highest_for_a_while() -> None:
    curve = [learning_rate(Plan.of(100), step, highest=1.0, warmup=10, floor=0.0, hold=0.6) for step in range(100)]
    assert set(curve[10:61]) == {1.0}
    assert curve[80] == pytest.approx(0.5)
    assert curve[99] < 0.01


def test_a_warmup_as_long_as_the_run_only_rises() -> None:
    assert rates(Plan.of(4), 4, warmup=8) == [0.125, 0.25, 0.375, 0.5]


@pytest.mark.parametrize("total", [60, 300])
def test_after_a_change_it_goes_on_from_where_it_was_and_still_reaches_the_floor(total: int) -> None:
    plan = Plan.of(100)
    plan.change(40, total)
    curve = rates(plan, total)
    assert curve[:40] == rates(Plan.of(100), 40)
    assert curve[40] == rates(Plan.of(100), 41)[40]
    assert abs(curve[41] - curve[40]) < 0.05
    assert curve[-1] < 0.01
    assert plan.total(39) == 100
    assert plan.total(40) == total


def test_a_plan_survives_json_to_the_last_bit() -> None:
    plan = Plan.of(10_000)
    plan.change(7, 3331)
    plan.change(100, 2999)
    restored = Plan.restored(json.loads(json.dumps(plan.changes)))
    assert restored == plan
    assert rates(restored, 2999) == rates(plan, 2999)


def test_a_change_recorded_ahead_does_not_touch_the_steps_before_it() -> None:
    plan = Plan.of(100)
    before = rates(plan, 50)
    plan.change(50, 80)
    assert rates(plan, 50) == before


def test_a_longer_run_is_as_far_as_if_it_had_been_longer_from_the_beginning() -> None:
    plan = Plan.of(100)
    plan.stretch(100, 200)
    assert plan.progress(100) == 0.5
    assert plan.progress(150) == pytest.approx(0.75)
    assert plan.total(100) == 200


def test_time_is_over_at_once() -> None:
    plan = Plan.of(100)
    plan.change(30, 30)
    assert plan.total(30) == 30
    assert plan.progress(30) == 1.0
