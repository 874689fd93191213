"""Tuwen (图文, "picture and text"): vision-language models, pretrained, evaluated and used.

This is the map of what is public; a name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuwen.core.errors import CheckpointError, DataError, RecipeError, SampleError, TrainingError, TuwenError
    from tuwen.core.sample import Box, Caption, Question, Sample
    from tuwen.recipe.schema import Recipe, load_recipe
    from tuwen.recipe.use import Model, load

__version__ = "0.1.0"

_ROOMS = {
    "tuwen.core.errors": ("CheckpointError", "DataError", "RecipeError", "SampleError", "TrainingError", "TuwenError"),
    "tuwen.core.sample": ("Box", "Caption", "Question", "Sample"),
    "tuwen.recipe.schema": ("Recipe", "load_recipe"),
    "tuwen.recipe.use": ("Model", "load"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Box",
    "Caption",
    "CheckpointError",
    "DataError",
    "Model",
    "Question",
    "Recipe",
    "RecipeError",
    "Sample",
    "SampleError",
    "TrainingError",
    "TuwenError",
    "__version__",
    "load",
    "load_recipe",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tuwen' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
