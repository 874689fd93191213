"""A first forward pass, before training: every objective must find what it asks the model for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
from torch import nn

from tuwen.core.batch import Batch
from tuwen.core.errors import RecipeError
from tuwen.models.config import ModelConfig
from tuwen.models.model import VisionLanguageModel
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
    hooks = [module.register_forward_hook(_note(name, used)) for name, module in _each(parts)]
    step.eval()
    try:
        step(batch)
    finally:
        step.train()
        for hook in hooks:
            hook.remove()
    return [name for name in parts if name not in used]


def refuse_to_learn_nothing(model: VisionLanguageModel, unused: Collection[str]) -> None:
    """Look that training can change something.

    Raises:
        RecipeError: all parts that an objective runs are frozen.
    """
    used = {name: modules for name, modules in parts_of(model).items() if name not in unused}
    if not any(weight.requires_grad for modules in used.values() for part in modules for weight in part.parameters()):
        raise RecipeError(
            f"model.freeze: the objectives run {', '.join(used)}, and none of them may learn. Leave one of them out of "
            "model.freeze, or name one of them with --only."
        )


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
    """Every module of each part: a part may be asked by another way than by calling it."""
    return ((name, module) for name, modules in parts.items() for part in modules for module in part.modules())


def _note(name: str, used: set[str]) -> Callable[..., Any]:
    def hook(*_: object) -> None:
        used.add(name)

    return hook
