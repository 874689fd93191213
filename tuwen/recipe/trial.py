"""A first forward pass, before training: every objective must find what it asks the model for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from tuwen.core.batch import Batch
from tuwen.models.config import ModelConfig
from tuwen.models.model import VisionLanguageModel
from tuwen.recipe.step import Step

_MODULES = {
    "image": "image_tower",
    "text": "text_tower",
    "fusion": "fusion",
    "language": "language",
    "embedding": "image_projection",
}
"""Where the model has what its settings name."""


@torch.no_grad()
def unused_parts(step: Step, batch: Batch) -> list[str]:
    """The parts of the model that none of the objectives runs, by the name of their setting: `text`, `heads.label`.

    Raises:
        RecipeError, DataError: an objective asks for what the model or the batch does not have.
    """
    parts = _parts(step.model)
    used: set[str] = set()
    hooks = [part.register_forward_hook(_note(name, used)) for name, part in parts.items()]
    step.eval()
    try:
        step(batch)
    finally:
        step.train()
        for hook in hooks:
            hook.remove()
    return [name for name in parts if name not in used]


def without(config: ModelConfig, parts: Iterable[str]) -> ModelConfig:
    """The settings of the model without some of its parts."""
    heads = {name: head for name, head in config.heads.items() if f"heads.{name}" not in parts}
    return config.model_copy(update={**dict.fromkeys(set(parts) & _MODULES.keys()), "heads": heads})


def _parts(model: VisionLanguageModel) -> dict[str, nn.Module]:
    found = {name: getattr(model, attribute, None) for name, attribute in _MODULES.items()}
    heads = {f"heads.{name}": head for name, head in model.heads.items()}
    return {name: part for name, part in (found | heads).items() if part is not None}


def _note(name: str, used: set[str]) -> Callable[..., Any]:
    def hook(*_: object) -> None:
        used.add(name)

    return hook
