"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from accelerate import Accelerator
from torch import nn

from tuwen.prep.loader import Cursor, Loaded, Loader
from tuwen.train.checkpoints import Checkpoints, is_full
from tuwen.train.config import TrainConfig
from tuwen.train.events import Listener, Listeners, Result, StepReport
from tuwen.train.interrupt import Interrupt
from tuwen.train.journey import Journey
from tuwen.train.learner import Learner
from tuwen.train.lines import SkippedList, rewind
from tuwen.train.machine import deterministic, memory_kept, seed_everything
from tuwen.train.pace import Budget, Clock, Pace
from tuwen.train.plan import learning_rate
from tuwen.train.processes import Team
from tuwen.train.setup import begun, check_same, find, resumed, write_plan
from tuwen.train.window import StepRecord, Window


def fit(
    step: nn.Module,
    loader: Loader,
    config: TrainConfig,
    run: Path,
    *,
    resume: bool = False,
    listeners: Iterable[Listener] = (),
    identity: Mapping[str, Any] | None = None,
    accelerator: Accelerator | None = None,
    began: float | None = None,
) -> Result:
    """Train a module, and leave its checkpoints in `run/checkpoints`.

    Killed at any moment and resumed, a run ends with the very weights of a run that was never killed: the order of the
    data and the randomness of a step are functions of the seed and of the step's number; a checkpoint holds all else.

    Args:
        step: the module, a `tuwen.train.learner.TrainStep`. At the end it has the trained weights (their moving
            average, with `ema`).
        loader: batches of this process; made with this process's rank and the number of processes.
        config: how to train.
        run: folder of the run.
        resume: go on from the last checkpoint in `run`, if there is one.
        listeners: hear of the progress, in the main process.
        identity: whatever else must be the same in a resumption (a hash of the recipe), JSON values by name.
        accelerator: from Accelerate, where you have one; else one is made.
        began: `time.monotonic()` when training began, for `minutes` (loading the data may have taken some of it).

    Raises:
        CheckpointError: there is a run already and `resume` is not set, or it was begun with other settings.
        DataError: the data cannot fill batches.
        TrainingError: a loss is not finite, or a checkpoint cannot be written.
    """
    began = time.monotonic() if began is None else began
    team = Team(accelerator or Accelerator())
    say = Listeners(tuple(listeners) if team.main else ())
    run.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(run / "checkpoints", config.keep, say.on_note)
    same = {**(identity or {}), "the number of samples": loader.samples}

    saved = find(checkpoints, resume, say)
    if saved:
        check_same(saved.state, config, same, team.world)
        journey = resumed(saved, run, config, loader, say)
    else:
        journey = begun(config, loader, team, say)
    team.wait()  # all have read the run's folder before the main process writes to it
    if team.main:
        write_plan(run, journey.plan)
        for name in ("log.jsonl", "skipped.jsonl"):
            rewind(run / name, journey.step)

    learner = Learner(step, config, team, journey.precision)
    if saved:
        learner.load(saved)
    if journey.compiled:
        step.compile_()  # type: ignore[operator]

    training = Training(learner, journey, config, checkpoints, say, same, began)
    try:
        with memory_kept(team.device), deterministic(config.deterministic):
            return training.go_on(loader)
    except OSError as error:
        if is_full(error):
            raise checkpoints.not_written("the log", error) from error
        raise
    finally:
        say.on_end()


class Training:
    """A run that is under way, from a `Journey`'s step on."""

    def __init__(
        self,
        learner: Learner,
        journey: Journey,
        config: TrainConfig,
        checkpoints: Checkpoints,
        say: Listeners,
        identity: Mapping[str, Any],
        began: float,
    ) -> None:
        self.learner, self.journey, self.config = learner, journey, config
        self.checkpoints, self.say, self.identity = checkpoints, say, identity
        self.run, self.team = checkpoints.folder.parent, learner.team
        self.samples = config.batch_size * config.accumulate * self.team.world
        self.first, self.clock = journey.step, Clock(began, journey.seconds)
        self.window, self.pace = Window(self.team, learner.weights), Pace()
        self.budget = Budget(60 * config.minutes) if config.minutes else None
        self.skipped = SkippedList(self.run / "skipped.jsonl")
        self.saved_step, self.saved_at = journey.step, time.monotonic()
        self.cursor: Cursor | None = None
        self.epoch = 0

    def go_on(self, loader: Loader) -> Result:
        """Train to the end of the plan, or until a signal."""
        journey = self.journey
        cursor = journey.cursors[self.team.rank] if journey.cursors else None
        with Interrupt() as interrupt, closing(loader.iterate(self.first * self.config.accumulate, cursor)) as batches:
            ahead = _started(batches) if journey.step < journey.total else batches
            self.say.on_begin(journey.step, journey.total)
            while journey.step < journey.total and not self.one_step(ahead, interrupt):
                pass
        self.report()
        self.save()
        self.learner.use_average()
        self.learner.put_together()
        return Result(
            step=journey.step,
            finished=journey.step >= journey.total,
            seconds=self.clock.seconds,
            samples_per_second=journey.step * self.samples / self.clock.seconds,
            checkpoint=self.checkpoints.at(journey.step),
            skipped=len(self.skipped),
        )

    def one_step(self, batches: Iterator[Loaded], interrupt: Interrupt) -> bool:
        """One optimizer step. Returns whether to stop now: a signal came, or the time is over."""
        begin, step = time.monotonic(), self.journey.step
        loaded = [next(batches) for _ in range(self.config.accumulate)]
        waited = time.monotonic() - begin

        counts = self._counts(loaded)
        totals, wishes = self._agree(counts, self._wishes(interrupt))
        if wishes.total:
            self._replan(wishes.total)
        if step >= self.journey.total:
            return True

        seed_everything(self.team.device, self.config.seed, step, self.team.rank)
        losses = self.learner.gradients([each.batch for each in loaded], totals)
        norm = self.learner.update(self.learning_rate(step), step)

        self.journey.step += 1
        self._note_data(loaded)
        keys = [each.batch.keys for each in loaded]
        seconds = time.monotonic() - begin
        self.pace.add(seconds)
        self.window.add(StepRecord(step + 1, keys, losses, norm, counts, totals, seconds, waited))
        if self.team.device.type == "cpu":  # where reading a loss costs nothing
            self.window.check(self._kept)
        if self.journey.step % self.config.log_every == 0:
            self.report()
        if wishes.save or self.journey.step % (self.config.save_every_steps or self.journey.step + 1) == 0:
            self.save()
        if self.journey.step == self.first + 1 and self.first:
            self.clock.restart()  # loading and compiling once more is not charged to a resumed run
        return wishes.stop

    def learning_rate(self, step: int) -> float:
        """As planned for a step."""
        config = self.config
        rates = {"highest": config.learning_rate, "floor": config.floor, "hold": config.hold}
        return learning_rate(self.journey.plan, step, warmup=config.warmup, **rates)

    def report(self) -> None:
        """Tell the listeners how the steps since the last report went."""
        self.window.check(self._kept)
        if not self.window.records:
            return
        losses, parts = self.window.averages()
        left = self.journey.total - self.journey.step
        report = StepReport(
            step=self.journey.step,
            total=self.journey.total,
            loss=sum(self.learner.weights[name] * value for name, value in losses.items()),
            losses=losses,
            parts=parts,
            learning_rate=self.learning_rate(self.journey.step - 1),
            gradient_norm=self.window.norm,
            samples_per_second=self.samples * len(self.window.records) / self.window.seconds,
            waiting=self.window.waiting,
            seconds=self.clock.seconds,
            eta=left * self.pace.step_seconds,
            epoch=self.epoch,
            skipped=len(self.skipped),
        )
        self.window.clear()
        self.say.on_step(report)

    def save(self) -> None:
        """Write a checkpoint of this moment, unless there is one."""
        if self.saved_step == self.journey.step:
            return
        self.window.check(self._kept)
        begin = time.monotonic()
        self._gather_cursors()
        tensors = self.learner.tensors()
        if self.team.main:
            self.journey.seconds = self.clock.seconds
            state = self.journey.as_json(self.config, self.identity, self.team.world)
            path = self.checkpoints.save(self.journey.step, tensors, state)
            self.say.on_save(self.journey.step, path)
        self.team.wait()
        self.saved_step, self.saved_at = self.journey.step, time.monotonic()
        if self.budget:
            self.budget.reserve = max(self.budget.reserve, 0.5 + 1.5 * (self.saved_at - begin))

    def _counts(self, loaded: Sequence[Loaded]) -> dict[str, float]:
        """How many items each objective finds in some batches of this process."""
        counts = dict.fromkeys(self.learner.weights, 0.0)
        for each in loaded:
            for name, count in self.learner.counts(each.batch).items():
                counts[name] += count
        return counts

    def _wishes(self, interrupt: Interrupt) -> Wishes:
        """What this process would like all to do. The clock of the main process counts."""
        save, total = False, 0
        if self.team.main:
            every = self.config.save_every_seconds
            save = every is not None and time.monotonic() - self.saved_at > every
            if self.budget:
                total = self.budget.revised(self.journey.plan, self.journey.step, self.clock.seconds, self.pace) or 0
        return Wishes(interrupt.asked, save, total)

    def _agree(self, counts: Mapping[str, float], wishes: Wishes) -> tuple[dict[str, float], Wishes]:
        """The items of all processes, and what is to be done in all of them."""
        *totals, stop, save, total = self.team.add([*counts.values(), *map(float, wishes)])
        return dict(zip(counts, totals, strict=True)), Wishes(stop > 0, save > 0, int(total))

    def _replan(self, total: int) -> None:
        journey, before = self.journey, self.journey.total
        journey.plan.change(journey.step, total)
        if self.team.main:
            write_plan(self.run, journey.plan)
        if abs(total - before) > 0.05 * before:
            self.say.on_note(f"planned for {total} steps of {self.pace.step_seconds:.3g} s")

    def _note_data(self, loaded: Sequence[Loaded]) -> None:
        self.epoch, self.cursor = loaded[-1].epoch, loaded[-1].cursor
        skipped = tuple(chain.from_iterable(each.skipped for each in loaded))
        if skipped and not self.skipped:
            key, reason = skipped[0]
            self.say.on_note(
                f"skipping samples that cannot be used, listed in {self.skipped.file}; first {key}: {reason}"
            )
        self.skipped.add(self.journey.step, skipped)

    def _gather_cursors(self) -> None:
        if self.cursor is not None:
            places = self.team.gather(list(chain.from_iterable(self.cursor)))
            self.journey.cursors = [tuple(zip(each[::2], each[1::2], strict=True)) for each in places]

    def _kept(self) -> str:
        if not self.saved_step:
            return "There is no checkpoint before it."
        return f"The last good checkpoint is {self.checkpoints.at(self.saved_step)}."


class Wishes(NamedTuple):
    """What to do besides the step: stop after it, save after it, plan another number of steps (0: as planned)."""

    stop: bool
    save: bool
    total: int


def _started(batches: Iterator[Loaded]) -> Iterator[Loaded]:
    """The same batches, with the first made now: workers are forked before anyone starts a thread."""
    return chain([next(batches)], batches)
