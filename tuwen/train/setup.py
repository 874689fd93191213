"""How a run begins, and how it is taken up again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tuwen.core.errors import CheckpointError, DataError
from tuwen.prep.loader import Loader
from tuwen.train.checkpoints import Checkpoints, Saved, write_whole
from tuwen.train.config import LENGTHS, TrainConfig
from tuwen.train.events import Listener
from tuwen.train.journey import Journey
from tuwen.train.machine import cannot_compile, choose_precision
from tuwen.train.pace import GUESS
from tuwen.train.plan import Plan
from tuwen.train.processes import Team

FREE = {*LENGTHS, "workers", "save_every_steps", "save_every_seconds", "keep", "log_every"}
"""Settings that may change in a resumption: how long to train, and what has no part in the weights."""


def find(checkpoints: Checkpoints, resume: bool, say: Listener) -> Saved | None:
    """The checkpoint to go on from, or None to begin.

    Raises:
        CheckpointError: there is a run in the folder already, and it is not to be resumed.
    """
    run = checkpoints.folder.parent
    if not resume and checkpoints.all():
        raise CheckpointError(f"{run} holds a run already: go on with it by --resume, or choose another folder.")
    saved = checkpoints.latest() if resume else None
    if resume and saved is None:
        say.on_note(f"there is no checkpoint in {run} yet: beginning from the start")
    return saved


def begun(config: TrainConfig, loader: Loader, team: Team, say: Listener) -> Journey:
    """The state of a run before its first step. What the machine can do is found out now, once, for all processes."""
    total = planned_steps(config, loader)
    precision = choose_precision(config.precision, team.device, say.on_note) if team.main else ""
    compiled = team.main and _compiles(config, team, say)
    fast, compiled_by_all = team.add([precision == "bf16", compiled])
    return Journey(
        step=0,
        plan=Plan.of(total or GUESS),
        seconds=0.0,
        cursors=[],
        precision="bf16" if fast else "fp32",
        compiled=bool(compiled_by_all),
    )


def _compiles(config: TrainConfig, team: Team, say: Listener) -> bool:
    reason = cannot_compile(team.device) if config.compile else None
    if reason is not None:
        say.on_note(f"going on without compilation, because this machine cannot compile: {reason}")
    return bool(config.compile) and reason is None


def resumed(saved: Saved, run: Path, config: TrainConfig, loader: Loader, say: Listener) -> Journey:
    """The state of a run at its checkpoint, with the plan as it was recorded last."""
    journey = Journey.from_json(saved.state)
    journey.plan = read_plan(run, journey.plan)
    if any(saved.state["config"][name] != getattr(config, name) for name in LENGTHS):
        total = planned_steps(config, loader)
        if total is None and config.minutes is not None:
            total = round(60 * config.minutes * journey.step / journey.seconds)
        journey.plan.stretch(journey.step, max(1, total or 0))
        say.on_note(f"the run is now planned for {journey.plan.total(journey.step)} steps")
    say.on_note(f"going on from step {journey.step} ({saved.path})")
    if saved.state["threads"] != torch.get_num_threads():
        threads = f"{saved.state['threads']} threads before and {torch.get_num_threads()} now"
        say.on_note(f"the weights may differ in their last bits from those of an unbroken run: {threads}")
    return journey


def planned_steps(config: TrainConfig, loader: Loader) -> int | None:
    """The number of optimizer steps that the settings ask for; None where only the time is limited.

    Raises:
        DataError: epochs of a stream, which does not know its length.
    """
    if config.epochs is None:
        return config.steps
    if loader.steps_per_epoch is None:
        raise DataError("a stream does not know how long an epoch is: set train.steps or train.minutes instead.")
    return max(1, math.ceil(config.epochs * loader.steps_per_epoch / config.accumulate))


def check_same(state: Mapping[str, Any], config: TrainConfig, identity: Mapping[str, Any], world: int) -> None:
    """Refuse to go on with another run's settings.

    Raises:
        CheckpointError: lists each setting that differs.
    """
    now = {f"train.{key}": value for key, value in config.model_dump(mode="json").items() if key not in FREE}
    then = {f"train.{key}": value for key, value in state["config"].items() if key not in FREE}
    now |= {"the number of processes": world, **identity}
    then |= {"the number of processes": state["processes"], **state["identity"]}
    if differ := differences(then, now):
        raise CheckpointError(
            f"the run was begun with other settings:{differ}\n"
            "Resume with the old ones, or begin a new run in another folder."
        )


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The settings that were other ones then, each on a line of its own; nothing where all are the same."""
    keys = [key for key in sorted(now.keys() | then.keys()) if now.get(key) != then.get(key)]
    return "".join(f"\n  {key}: was {then.get(key)!r}, is {now.get(key)!r}" for key in keys)


def write_plan(run: Path, plan: Plan) -> None:
    """Record the plan as soon as it changes, so that a run killed before its next checkpoint follows it too."""
    write_whole(run / "plan.json", json.dumps(plan.changes))


def read_plan(run: Path, default: Plan) -> Plan:
    """The plan as last recorded."""
    file = run / "plan.json"
    return Plan.restored(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else default
