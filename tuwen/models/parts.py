"""The parts of a model by the names that a recipe has for them, and which of them learn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import nn

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import nearest

if TYPE_CHECKING:
    from tuwen.models.model import VisionLanguageModel

PROJECTIONS, SCALES = ("image_projection", "text_projection"), ("logit_scale", "logit_bias")
"""What the part `embedding` is: modules, and scalars that lie in none of them."""

_ATTRIBUTES = {
    "image": ("image_tower",),
    "text": ("text_tower",),
    "fusion": ("fusion",),
    "language": ("language",),
    "prefix": ("prefix",),
    "embedding": PROJECTIONS,
}
"""Where the model has what its settings name."""

COARSE = (torch.bfloat16, torch.float16, torch.int8)

Parts = dict[str, tuple[nn.Module, ...]]


def parts_of(model: VisionLanguageModel) -> Parts:
    """The parts that a model has: `image`, `text`, `fusion`, `language`, `prefix`, `embedding`, `heads.NAME`."""
    found = {name: [getattr(model, attribute) for attribute in places] for name, places in _ATTRIBUTES.items()}
    there: Parts = {name: tuple(modules) for name, modules in found.items() if all(m is not None for m in modules)}
    return there | {f"heads.{name}": (head,) for name, head in model.heads.items()}


def chosen(parts: Parts, names: Iterable[str], where: str) -> Parts:
    """The parts that a setting names.

    Raises:
        RecipeError: the model has no such part. `where` is the setting's key.
    """
    for name in names:
        if name not in parts:
            known = list(parts)
            raise RecipeError(
                f"{where}: this model has no part {name!r}; it has {', '.join(known)}.{nearest(name, known)}"
            )
    return {name: parts[name] for name in names}


def refuse_coarse(parts: Parts) -> None:
    """Weights of few bits are too coarse to learn: the steps of training would be lost in rounding.

    Raises:
        RecipeError: one of the parts has such weights.
    """
    if found := coarse(parts):
        raise RecipeError(f"model.{found[0]}: its weights are kept in too few bits to learn: add it to model.freeze.")


def coarse(parts: Parts) -> list[str]:
    """The names of the parts that have weights of few bits."""
    return [name for name, modules in parts.items() if any(map(_is_coarse, modules))]


def _is_coarse(module: nn.Module) -> bool:
    return any(tensor.dtype in COARSE for tensor in module.state_dict().values())


def freeze(modules: Iterable[nn.Module]) -> None:
    """No weight of the modules learns: they have no gradients, and so no state in an optimizer."""
    for module in modules:
        module.requires_grad_(False)
