"""A first forward pass, before training: every objective must find what it asks the model for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
from torch import nn

from tuwen.core.batch import Batch
from tuwen.models.config import ModelConfig
from tuwen.models.parts import Parts, parts_of
from tuwen.recipe.step import Step

OPTIONAL = ("image", "text", "fusion", "language", "embedding")
"""Settings of the model that name a part, and may be null."""


@torch.no_grad()
def unused_parts(step: Step, batch: Batch) -> list[str]:
    """The parts of the model that none of the objectives runs, by the name of their setting: `text`, `heads.label`.

    Raises:
        RecipeError, DataError: an objective asks for what the model or the batch does not have.
    """
    parts = {name: modules for name, modules in parts_of(step.model).items() if name != "prefix"}  # language's own
    used: set[str] = set()
    hooks = [part.register_forward_hook(_note(name, used)) for name, part in _each(parts)]
    step.eval()
    try:
        step(batch)
    finally:
        step.train()
        for hook in hooks:
            hook.remove()
    return [name for name in parts if name not in used]


def without(config: ModelConfig, parts: Collection[str]) -> ModelConfig:
    """The settings of the model without some of its parts."""
    heads = {name: head for name, head in config.heads.items() if f"heads.{name}" not in parts}
    learning = {
        "freeze": tuple(name for name in config.freeze if name not in parts),
        "lora": {name: lora for name, lora in config.lora.items() if name not in parts},
    }
    settings = dict.fromkeys(name for name in OPTIONAL if name in parts)
    return config.model_copy(update={**settings, **learning, "heads": heads})


def _each(parts: Parts) -> Iterator[tuple[str, nn.Module]]:
    return ((name, module) for name, modules in parts.items() for module in modules)


def _note(name: str, used: set[str]) -> Callable[..., Any]:
    def hook(*_: object) -> None:
        used.add(name)

    return hook
