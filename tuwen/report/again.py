"""How a run is made again, and how its model is used: lines to copy from the page."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import yaml

CALLS = {
    "caption": 'model.caption("picture.jpg")',
    "vqa": 'model.answer("picture.jpg", "What is in the picture?")',
    "classify": 'model.classify("picture.jpg")',
    "retrieve": 'model.embed_texts(["a text"]) @ model.embed_images(["picture.jpg"]).T',
}
"""What a model can be asked that was trained for a task, by the task's kind."""


def again(run: Path) -> str:
    """The command that trains the same model once more."""
    return f"tuwen pretrain {shlex.quote(str(run))} --out {shlex.quote(f'{run}-again')}"


def use(run: Path, recipe: str) -> list[str]:
    """Python that loads the model and asks it what its recipe trained it for. recipe: the resolved one, as YAML."""
    kinds = {settings.get("kind", name) for name, settings in _tasks(recipe).items()}
    return [f"model = tuwen.load({str(run)!r})", *(call for kind, call in CALLS.items() if kind in kinds)]


def _tasks(recipe: str) -> dict[str, dict[str, Any]]:
    """The tasks of a recipe; none of a text that is no recipe, which the page shows as it is."""
    try:
        found = yaml.safe_load(recipe)
    except yaml.YAMLError:
        return {}
    tasks = found.get("tasks") if isinstance(found, dict) else None
    return {name: task for name, task in tasks.items() if isinstance(task, dict)} if isinstance(tasks, dict) else {}
