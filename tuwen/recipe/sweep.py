"""One recipe over a grid of settings, with several seeds: which part, tower or weight does what?

    recipe: fusion_vqa.yaml            # a recipe's name, a file beside this one, or a run folder
    set: {train.steps: 500}            # in every run
    grid:
      model.fusion.kind: [add, concat] # a setting and its values, or places with a name and several settings each:
      tower:
        small: {model.image.channels: [16, 32], model.image.blocks: [1, 1]}
        large: {model.image.channels: [32, 64], model.image.blocks: [1, 1]}
    seeds: [0, 1, 2]
    measure: [tasks.vqa.accuracy]      # figures of metrics.json to compare; the headlines where none is named

A run is known by its resolved recipe: one that has ended is not trained again, one that was cut goes on, and after a
change of the recipe or of the grid only what is new is trained.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import PartConfig
from tuwen.recipe.layers import alone
from tuwen.recipe.library import display, find_recipe
from tuwen.recipe.model_folder import MANIFEST
from tuwen.recipe.reading import read_yaml, write_value
from tuwen.recipe.resolve import Resolved, resolve
from tuwen.recipe.schema import Recipe, load_recipe
from tuwen.recipe.settings import Setting
from tuwen.report.examples import FILE_NAME as EXAMPLES
from tuwen.report.examples import Examples
from tuwen.report.figures import METRICS
from tuwen.report.sweep import Run, Sweep

RECIPES = "recipes"
"""Where in the sweep's folder the recipe of each run lies."""

FACTS = ("parameters", "pairs_per_second", "train_seconds")

Values = list[Any] | dict[str, dict[str, Any]]


class SweepConfig(PartConfig):
    """A grid of runs.

    recipe: its name, a file, or a run folder. set: settings of every run, by dotted key.
    grid: for each axis the values of a setting, or places by name with several settings each.
    seeds: each is the `seed` and the `train.seed` of a run at every place.
    measure: figures to compare, as dotted keys of `metrics.json`, or of the tallies on a run's page
        (`tasks.vqa_by_kind.relation`); the headlines where none is named.
    """

    recipe: str
    set: dict[str, Any] = {}
    grid: dict[str, Values] = Field(min_length=1)
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    measure: tuple[str, ...] = ()

    @field_validator("grid", mode="before")
    @classmethod
    def _has_values(cls, grid: Any) -> Any:
        for axis, values in grid.items() if isinstance(grid, dict) else ():
            named = isinstance(values, dict) and all(isinstance(place, dict) for place in values.values())
            if not isinstance(values, list) and not named:
                raise ValueError(
                    f"the axis {axis!r} has {write_value(values)}, not several values: write a list, such as [1, 2], "
                    "or places by name, each with its settings"
                )
            if not values:
                raise ValueError(f"the axis {axis!r} has no value; give some, or take it out")
        return grid


@dataclass(frozen=True, slots=True)
class Planned:
    """A run to come. name: of its folder, made of its place, its seed and a hash of its recipe."""

    name: str
    labels: tuple[str, ...]
    seed: int
    resolved: Resolved[Recipe]


Train = Callable[[Path, Path], None]
"""Trains the recipe of a file in a folder, going on where it was cut. Raises `RunFailed`."""

Tell = Callable[[Planned, int, int, str], None]
"""Hears how each run ended: the run, its number from 1, how many there are, and what came of it."""


class RunFailed(Exception):
    """A run did not end well; the others go on."""


def read_sweep(file: Path) -> SweepConfig:
    """A sweep's file.

    Raises:
        RecipeError: it cannot be read, or a key does not fit.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file}: cannot be read ({error}); name a sweep's file, or a recipe and --grid.") from None
    given = read_yaml(text, display(file))
    if not given.value.keys() & {"recipe", "grid"} and given.value.keys() & {"extends", *Recipe.model_fields}:
        raise RecipeError(f"{file} is a recipe: say what to vary with --grid, such as --grid 'train.steps=[10,20]'")
    config = resolve(SweepConfig, given).recipe
    recipe = find_recipe(config.recipe, beside=file.parent) if (file.parent / config.recipe).exists() else config.recipe
    return config.model_copy(update={"recipe": str(recipe)})


def plan(config: SweepConfig) -> list[Planned]:
    """Every run of a sweep; all recipes are checked before the first is trained.

    Raises:
        RecipeError: a place of the grid is not a recipe, or two are the same.
    """
    axes = [list(_places(axis, values)) for axis, values in config.grid.items()]
    runs = []
    seen: dict[str, str] = {}
    for place in itertools.product(*axes):
        labels = tuple(label for label, _ in place)
        for seed in config.seeds:
            given = config.set | {key: value for _, sets in place for key, value in sets.items()}
            seeded = given | {"seed": seed, "train.seed": seed}
            where = f"{', '.join(labels)}"
            resolved = load_recipe(config.recipe, [_setting(key, value, where) for key, value in seeded.items()])
            digest = hashlib.sha256(resolved.to_yaml(origins=False).encode()).hexdigest()[:8]
            here = f"{where}, seed {seed}"
            if digest in seen:
                raise RecipeError(
                    f"sweep: {here} is the same run as {seen[digest]}: take one out of the grid or the seeds."
                )
            seen[digest] = here
            name = re.sub(r"[^\w.=-]+", "_", "-".join(labels))[:80].strip("_")
            runs.append(Planned(f"{name}-seed{seed}-{digest}", labels, seed, resolved))
    return runs


def sweep(config: SweepConfig, folder: Path, train: Train, tell: Tell = lambda *_: None) -> Sweep:
    """Train what is not trained yet, and write the table anew after each run.

    Args:
        config: the grid.
        folder: of the sweep: a folder for each run, `recipes/`, and `sweep.md`, `.csv`, `.json`, `.png`.
        train: trains one run. tell: hears how each ended.

    Raises:
        RecipeError: a place of the grid is not a recipe; or no run has a figure that is to be compared.
    """
    planned = plan(config)
    (folder / RECIPES).mkdir(parents=True, exist_ok=True)
    runs: list[Run] = []
    for number, each in enumerate(planned, start=1):
        run, said = folder / each.name, "had ended before"
        error = None
        if not finished(run):
            file = folder / RECIPES / f"{each.name}.yaml"
            file.write_text(each.resolved.to_yaml(origins=False), encoding="utf-8")
            try:
                train(file, run)
                said = "trained"
            except RunFailed as failure:
                error = said = str(failure)
        runs.append(_read(each, run, error))
        table = _table(config, runs, len(planned))
        table.save(folder)
        tell(each, number, len(planned), said if error else f"{said}: {_in_short(table, runs[-1])}")
    return table


def finished(run: Path) -> bool:
    """Whether a run has ended, with its model and its figures."""
    return (run / MANIFEST).is_file() and (run / "metrics.json").is_file()


def _places(axis: str, values: Values) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The label of each place on an axis, and the settings there."""
    if isinstance(values, dict):
        yield from values.items()
        return
    for value in values:
        yield _label(value), {axis: value}


def _label(value: Any) -> str:
    """A value in short: a part is called by its kind, with what else is said of it."""
    if isinstance(value, dict) and "kind" in value:
        others = {key: item for key, item in value.items() if key != "kind"}
        return " ".join([str(value["kind"]), *(f"{key}={write_value(item)}" for key, item in others.items())])
    return write_value(value)


def _setting(key: str, value: Any, origin: str) -> Setting:
    for word in reversed(key.split(".")):
        value = {word: value}
    return alone(Setting.given(value, origin))


def _read(planned: Planned, run: Path, error: str | None) -> Run:
    if error is not None:
        return Run(planned.labels, planned.seed, run.name, {}, {}, {}, error)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    values, floors = dict(_numbers(metrics)), {}
    for figure in list(values):
        above, _, last = figure.rpartition(".")
        if last in METRICS and f"{above}.floor" in values:
            floors[figure] = values[f"{above}.floor"]
    examples = Examples.load(run) if (run / EXAMPLES).exists() else Examples()
    for split, found in examples.splits.items():
        for tally, kinds in found.tallies.items():
            values |= {f"{split}.{tally}.{kind}": each.right / each.count for kind, each in kinds.items() if each.count}
            floors |= {f"{split}.{tally}.{kind}": each.floor for kind, each in kinds.items() if each.floor is not None}
    facts = {name: metrics[name] for name in FACTS}
    objectives = tuple(load_recipe(str(run)).recipe.objectives)
    return Run(planned.labels, planned.seed, run.name, values, floors, facts, objectives=objectives)


def _numbers(metrics: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    for name, value in metrics.items():
        if isinstance(value, dict) and name not in ("asked", "machine"):
            yield from _numbers(value, f"{above}{name}.")
        elif isinstance(value, int | float) and above:
            yield f"{above}{name}", float(value)


def _table(config: SweepConfig, runs: Iterable[Run], planned: int) -> Sweep:
    known = dict.fromkeys(figure for run in runs for figure in run.values)
    lacking = [figure for figure in config.measure if known and figure not in known]
    if lacking:
        there = ", ".join(figure for figure in known if figure.startswith(lacking[0].partition(".")[0])) or "none"
        raise RecipeError(f"measure: the runs have no figure {lacking[0]!r}; there are: {there}.")
    headlines = [name for name in known if (metric := METRICS.get(name.rpartition(".")[2])) and metric.headline]
    return Sweep(tuple(config.grid), config.measure or tuple(headlines), tuple(runs), planned)


def _in_short(table: Sweep, run: Run) -> str:
    return ", ".join(f"{figure} {run.values[figure]:.4g}" for figure in table.figures[:3] if figure in run.values)
