"""Keeps an eye on what a model could do before its fine-tuning: measured before, on the way, and after.

Then it mixes the weights: between the pretrained and the fine-tuned ones, `(1 - alpha) · pre + alpha · fine`, lie
models that have learned most of the one and kept most of the other (Wortsman et al. 2022, "Robust fine-tuning of
zero-shot models", WiSE-FT, arXiv:2109.01903, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tuwen.core.errors import DataError, RecipeError
from tuwen.core.rooms import build_part
from tuwen.core.sample import Sample
from tuwen.data import DataContext
from tuwen.models.lora import merged_state
from tuwen.recipe.build import System, load_system
from tuwen.recipe.evaluate import places
from tuwen.recipe.model_folder import read_model
from tuwen.recipe.prepare import build_tasks
from tuwen.recipe.schema import GuardConfig
from tuwen.recipe.sources import Data, some
from tuwen.recipe.start import bare_state, part_of
from tuwen.recipe.usable import usable
from tuwen.report.examples import SplitExamples
from tuwen.report.forgetting import Figures, Forgetting, Mixed, Moment, headline_shares
from tuwen.tasks import Task
from tuwen.train.events import Listener, StepReport
from tuwen.train.lines import add_lines, read_lines, rewind
from tuwen.train.machine import choose_precision

MOMENTS = "forgetting.jsonl"
"""The guarded figures as they are measured, a line each."""

INTERPOLATED = "interpolated"
"""The folder, in that of the run, of the model between the pretrained and the fine-tuned one."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Some tasks and the samples to measure them on."""

    tasks: Mapping[str, Task]
    samples: Sequence[Sample]

    def __call__(self, system: System, bf16: bool, samples: Sequence[Sample] | None = None) -> Figures:
        """The headline shares of a model; it is in the mode afterwards in which it was before."""
        training = system.model.training
        predictor = system.predictor(bf16)
        chosen = self.samples if samples is None else samples
        figures = {name: task.evaluate(predictor, chosen, (), SplitExamples()) for name, task in self.tasks.items()}
        system.model.train(training)
        return headline_shares(figures)


class Guard(Listener):
    """Measures the guarded tasks of a model that is being fine-tuned; the first time, now.

    Args:
        config: what is guarded. system: the model, before its first step. run: the folder of the run.
        say: hears what was measured.

    Raises:
        RecipeError: there is nothing to guard, because the recipe starts from no trained model.
        DataError: the guard's data cannot be used, or has nothing for its tasks.
    """

    def __init__(self, config: GuardConfig, system: System, run: Path, say: Listener) -> None:
        if system.recipe.start is None:
            raise RecipeError("guard: the recipe starts from no trained model (start.run): there is nothing to guard.")
        self.config, self.system, self.run, self.say = config, system, run, say
        self.kept = _guarded(config, system, system.recipe.start.run)
        weights = bare_state(system.model)
        known = {name: tensor for name, tensor in weights.items() if part_of(name) in system.carried}
        self.begun = {name: tensor.detach().to("cpu", copy=True) for name, tensor in known.items()}
        self.passed = 0
        precision = choose_precision(system.recipe.train.precision, self._device, lambda text: None)
        self.bf16 = precision == "bf16"  # decided once: found by a stopwatch, it could differ from point to point
        if not read_lines(run / MOMENTS):
            self._note(0)

    def on_begin(self, step: int, total: int) -> None:
        rewind(self.run / MOMENTS, step)
        self.passed = self._marks(step, total)

    def on_step(self, report: StepReport) -> None:
        marks = self._marks(report.step, report.total)
        if marks > self.passed and report.step < report.total:
            self.passed = marks
            self._note(report.step)

    def finish(self, data: Data, step: int) -> Forgetting:
        """Measure the trained model and the weights between, and save the chosen ones as a model of their own.

        The run's own model must be in its folder already.

        Args:
            data: what was fine-tuned on; its unseen split says what was learned. step: the last one.
        """
        self._note(step)
        entries = {entry["step"]: entry["kept"] for entry in read_lines(self.run / MOMENTS)}
        path = tuple(Moment(step, kept) for step, kept in sorted(entries.items()))
        learned = _learned(self.system, data, self.config.samples)
        shares = {number / self.config.alphas for number in range(self.config.alphas + 1) if self.config.alphas}
        if self.config.alpha is not None:
            shares.add(self.config.alpha)
        found = Forgetting(path)
        if shares and self._enough(learned):
            found = self._between(path, learned, sorted(shares))
        elif shares:
            self.say.on_note("the weights between are not measured: there are too few unseen samples to choose by")
        found.save(self.run)
        return found

    def _enough(self, learned: Measure) -> bool:
        """Whether either half of the samples says something of what is kept and of what is learned."""
        halves = [(each, each.samples[half::2]) for each in (self.kept, learned) for half in (0, 1)]
        return all(samples and each(self.system, self.bf16, samples) for each, samples in halves)

    def _between(self, path: tuple[Moment, ...], learned: Measure, shares: Sequence[float]) -> Forgetting:
        """The curve on every second sample; its best point and its ends on the others."""
        probe = load_system(self.run, self.system.recipe)
        probe.model.to(self._device)
        fine = {name: tensor.detach().cpu() for name, tensor in merged_state(self.system.model).items()}

        def measured(alpha: float, half: int) -> Mixed:
            probe.model.load_state_dict(interpolate(self.begun, fine, alpha))
            kept = self.kept(probe, self.bf16, self.kept.samples[half::2])
            return Mixed(alpha, kept, learned(probe, self.bf16, learned.samples[half::2]))

        curve = [measured(alpha, 0) for alpha in shares]
        alpha = max(curve, key=lambda mixed: mixed.score).alpha if self.config.alpha is None else self.config.alpha
        whole, none, chosen = (measured(share, 1) for share in (1.0, 0.0, alpha))
        probe.save(self.run / INTERPOLATED, read_model(self.run).recipe.read_text(encoding="utf-8"))
        return Forgetting(path, tuple(curve), alpha, (none, chosen, whole))

    def _note(self, step: int) -> None:
        kept = self.kept(self.system, self.bf16)
        if not kept:
            raise DataError(f"guard: its samples are too few to measure {', '.join(self.kept.tasks)} on.")
        add_lines(self.run / MOMENTS, [{"step": step, "kept": kept}])
        shown = ", ".join(f"{name} {100 * value:.1f} %" for name, value in kept.items())
        self.say.on_note(f"guarded at step {step}: {shown}")

    def _marks(self, step: int, total: int) -> int:
        """How many of the moments between the first step and the last lie behind."""
        return step * (self.config.times + 1) // max(1, total)

    @property
    def _device(self) -> torch.device:
        return next(self.system.model.parameters()).device


def interpolate(begun: Mapping[str, Tensor], fine: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """`(1 - alpha) · begun + alpha · fine` (Wortsman et al. 2022, equation 1).

    Weights that begun has not (of a new head, say) and whole numbers are those of `fine`.
    """
    return {
        name: torch.lerp(begun[name], tensor, alpha) if name in begun and tensor.is_floating_point() else tensor
        for name, tensor in fine.items()
    }


def _guarded(config: GuardConfig, system: System, start: Path) -> Measure:
    try:
        splits = build_part("data", config.data, DataContext(system.recipe.seed), "guard.data")
    except DataError as error:
        raise DataError(
            f"guard.data: {error} It is what the model was pretrained on, and shows what fine-tuning takes away: "
            "measure that on other data with --set guard.data=…, or leave the guard out with --no-guard."
        ) from None
    name = places(splits, None).get("tasks")
    if name is None:
        raise DataError(
            "guard.data: there is no split `test` or `validation` to measure on; leave out with --no-guard."
        )
    samples, _ = usable(some(splits[name], config.samples), system.images)
    vocabulary = {key: tuple(words) for key, words in read_model(start).vocabulary().items()}
    recipe = system.recipe.model_copy(update={"tasks": config.tasks})
    measure = Measure(build_tasks(recipe, system.tokenizer, vocabulary), samples)
    if not any(task.finds(sample) for task in measure.tasks.values() for sample in samples):
        raise DataError(f"guard: the split {name!r} of guard.data has nothing for {', '.join(config.tasks)}.")
    return measure


def _learned(system: System, data: Data, samples: int) -> Measure:
    """What was learned, on `validation` where there is one: choosing by `test` would flatter what is measured on it."""
    measured = places(data.splits, system.recipe.evaluate.splits).get("tasks")
    name = "validation" if "validation" in data.splits else measured
    found = [] if name is None else usable(some(data.splits[name], samples), system.images)[0]
    return Measure(system.tasks, found)
