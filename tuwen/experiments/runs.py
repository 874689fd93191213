"""The runs of an experiment: each is trained once, gone on with where it was cut, and known by its settings.

OUT/NAME/                the run
OUT/recipes/NAME.yaml    what was asked for; the run's own recipe is what was left of it when it fitted its data
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuwen.core.errors import CheckpointError
from tuwen.recipe.library import RUN_RECIPE
from tuwen.recipe.reading import read_yaml
from tuwen.recipe.resolve import Resolved
from tuwen.recipe.run import leaves, pretrain
from tuwen.recipe.schema import Recipe
from tuwen.recipe.sweep import RECIPES, finished
from tuwen.train.checkpoints import write_whole
from tuwen.train.events import Listener
from tuwen.train.setup import differences

Recipes = Mapping[str, Resolved[Recipe]]
"""What every run is to be made with, by its name."""

PLACES = ("start.run",)
"""Settings that only say where the runs lie: the folder of an experiment may move."""


class Interrupted(Exception):
    """A training was interrupted, and its words say where. Called again, the experiment goes on there."""


def refuse_other_settings(out: Path, recipes: Recipes) -> None:
    """Look that what a run found is reported, and what it learned gone on with, under its own settings alone.

    Raises:
        CheckpointError: a run in `out` was made with others; lists each that differs.
    """
    for name, resolved in recipes.items():
        folder, asked = out / name, _asked(out, name)
        if not (folder / RUN_RECIPE).exists():
            continue
        made = asked if asked.exists() else folder / RUN_RECIPE  # for runs from before `asked` was written
        there, here = _settings(made.read_text(encoding="utf-8"), made), _settings(_yaml(resolved), made)
        if differ := differences(there, here):
            advice = f"Ask for what it was made with, choose another --out, or delete {folder}."
            raise CheckpointError(f"{folder} was made with other settings:{differ}\n{advice}")


def trained(
    out: Path,
    name: str,
    resolved: Resolved[Recipe],
    listeners: Sequence[Listener] = (),
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """The metrics of a run, which is trained (or gone on with) where it is not finished.

    Raises:
        Interrupted: it is not finished now either.
    """
    folder = out / name
    if not finished(folder):
        say(f"{name}: training")
        if not (folder / RUN_RECIPE).exists():
            (out / RECIPES).mkdir(parents=True, exist_ok=True)
            write_whole(_asked(out, name), _yaml(resolved))
        ended = pretrain(resolved, folder, resume=folder.exists(), listeners=listeners)
        if not ended.result.finished:
            raise Interrupted(f"{name}: interrupted at step {ended.result.step}.")
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return metrics


def _asked(out: Path, name: str) -> Path:
    return out / RECIPES / f"{name}.yaml"


def _yaml(resolved: Resolved[Recipe]) -> str:
    return resolved.to_yaml(origins=False)


def _settings(yaml: str, file: Path) -> dict[str, Any]:
    return {key: value for key, value in leaves(read_yaml(yaml, str(file)).plain()) if key not in PLACES}
