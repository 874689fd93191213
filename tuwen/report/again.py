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
    "tag": 'model.tag("picture.jpg")',
    "match": 'model.match("picture.jpg", ["a text", "another text"])',
    "retrieve": 'model.embed_texts(["a text"]) @ model.embed_images(["picture.jpg"]).T',
    "causal_lm": 'model.generate("A text that", max_new_tokens=40)',
}
"""What a model can be asked that was trained for a task, by the task's kind."""

WITH_TEXT = {
    "classify": 'model.classify("picture.jpg", texts="What is said of it.")',
    "tag": 'model.tag("picture.jpg", texts="What is said of it.")',
}
"""The same where the task has `with_text`."""


def again(run: Path) -> str:
    """The command that trains the same model once more."""
    return f"tuwen pretrain {shlex.quote(str(run))} --out {shlex.quote(f'{run}-again')}"


def use(run: Path, recipe: str) -> list[str]:
    """Python that loads the model and asks it what its recipe trained it for. recipe: the resolved one, as YAML."""
    first: dict[str, dict[str, Any]] = {}  # the one that is asked, where there are several of a kind
    for name, settings in _tasks(recipe).items():
        first.setdefault(settings.get("kind", name), settings)
    calls = [WITH_TEXT[kind] if _reads_text(kind, first[kind]) else CALLS[kind] for kind in CALLS if kind in first]
    return [f"model = tuwen.load({str(run)!r})", *calls]


def _reads_text(kind: str, settings: dict[str, Any]) -> bool:
    """Whether a picture is shown together with its text: to a head, never where texts are compared with it."""
    return (
        kind in WITH_TEXT and bool(settings.get("with_text")) and (kind != "classify" or settings.get("by") == "head")
    )


def _tasks(recipe: str) -> dict[str, dict[str, Any]]:
    """The tasks of a recipe; none of a text that is no recipe, which the page shows as it is."""
    try:
        found = yaml.safe_load(recipe)
    except yaml.YAMLError:
        return {}
    tasks = found.get("tasks") if isinstance(found, dict) else None
    return {name: task for name, task in tasks.items() if isinstance(task, dict)} if isinstance(tasks, dict) else {}
