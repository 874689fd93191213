"""A run with a time limit ends in time, and the learning rate has come down by then."""

import random
from collections.abc import Callable

import pytest

from tuwen.train.pace import GUESS, Budget, Pace
from tuwen.train.plan import Plan, learning_rate


def simulate(seconds: float, cost: Callable[[int], float]) -> tuple[float, Plan, int]:
    """Train by the clock alone; step number i takes `cost(i)` seconds. Returns the time, the plan and the steps."""
    plan, pace, budget = Plan.of(GUESS), Pace(), Budget(seconds)
    elapsed, step = 3.0, 0
    while step < plan.total(step):
        total = budget.revised(plan, step, elapsed, pace)
        if total is not None:
            plan.change(step, total)
        if step >= plan.total(step):
            break
        elapsed += cost(step)
        pace.add(cost(step))
        step += 1
    return elapsed, plan, step


def last_rate(plan: Plan, steps: int) -> float:
    return learning_rate(plan, steps - 1, highest=1.0, warmup=0.05, floor=0.0)


@pytest.mark.parametrize("step_seconds", [0.003, 0.1, 1.5])
def test_an_even_machine(step_seconds: float) -> None:
    elapsed, plan, steps = simulate(300, lambda step: step_seconds)
    assert 290 < elapsed < 300
    assert last_rate(plan, steps) < 0.01
    assert len(plan.changes) < 10


def test_compilation_in_the_first_steps_neither_shortens_nor_overruns_the_run() -> None:
    elapsed, plan, steps = simulate(300, lambda step: {0: 30.0, 1: 12.0, 7: 15.0}.get(step, 0.2))
    assert 290 < elapsed < 300
    assert last_rate(plan, steps) < 0.01


@pytest.mark.parametrize("seed", range(5))
def test_an_uneven_machine(seed: int) -> None:
    noise = random.Random(seed)
    costs = [noise.choice([0.15, 0.2, 0.2, 0.25, 0.9]) for _ in range(5000)]
    elapsed, plan, steps = simulate(300, costs.__getitem__)
    assert 270 < elapsed < 301
    assert last_rate(plan, steps) < 0.01
    assert len(plan.changes) < 60


def test_a_machine_that_becomes_slower_half_way() -> None:
    elapsed, plan, steps = simulate(300, lambda step: 0.2 if step < 700 else 0.5)
    assert elapsed < 301
    assert last_rate(plan, steps) < 0.01


def test_a_long_halt_ends_the_run_at_the_next_step() -> None:
    elapsed, _, steps = simulate(300, lambda step: 200.0 if step == 600 else 0.2)
    assert steps >= 601
    assert elapsed < 200 + 3 + 601 * 0.2 + 1


def test_steps_longer_than_the_whole_time() -> None:
    elapsed, _, steps = simulate(60, lambda step: 100.0)
    assert steps == 1
    assert elapsed == 103.0


def test_a_resumed_run_takes_no_decision_before_those_it_took() -> None:
    plan = Plan.of(1000)
    plan.change(500, 800)
    pace = Pace()
    for _ in range(30):
        pace.add(100.0)
    assert Budget(60).revised(plan, 499, 1e6, pace) is None
    assert Budget(60).revised(plan, 501, 1e6, pace) == 501
