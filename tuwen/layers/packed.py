"""Linear layers for much reading on a processor: their weights are laid out once for the products that follow."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

from tuwen.layers.linear import Linear
from tuwen.layers.onednn import Gelu, computes, lay_out, precision, product

ROWS = 128
"""Weights are laid out for products with about so many rows."""

MOST = 2**30
"""Larger models, in bytes, stay as they are: a copy of their weights may not fit into memory."""


class PackedLinear(nn.Module):
    """`x Wᵀ + b`, with GELU of it where one is named, without gradients. W and b are to stay as they are.

    It computes in the precision that autocast has while it is made, as a linear layer would.

    Args:
        weight: `[out, in]` on a CPU.
        bias: `[out]`, or None.
        gelu: which one, or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, gelu: Gelu | None = None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias  # as they were, for whoever asks for a size, a type or a device
        self.dtype = precision(weight)
        self.laid_out = lay_out(weight.detach().to(self.dtype), ROWS)
        self.added = None if bias is None else bias.detach().to(self.dtype)
        self.gelu = gelu

    def forward(self, x: Tensor) -> Tensor:
        """`[..., in]` → `[..., out]`."""
        return product(x.to(self.dtype), self.laid_out, self.added, self.gelu)


class PacksItself(nn.Module):
    """A module whose parts work together in another way when they are packed."""

    def packed(self) -> nn.Module:
        """As the function `packed`."""
        raise NotImplementedError


M = TypeVar("M", bound=nn.Module)
Kinds = Mapping[type[nn.Module], Callable[[Any], nn.Module]]
LINEAR: Kinds = dict.fromkeys((nn.Linear, Linear), lambda layer: PackedLinear(layer.weight, layer.bias))
"""What stands in the place of a layer of exactly this type. A subclass may do more: an adapter, say."""


def packed(module: M) -> M:
    """A copy for reading without gradients, which shares everything but linear layers. It costs about four readings.

    It is right for as long as weights and autocast stay as they are. Returned as it is where packing gains nothing: not
    on a CPU, without oneDNN, or too large.
    """
    weights = list(module.parameters())
    here = all(weight.device.type == "cpu" for weight in weights)
    size = sum(weight.numel() * weight.element_size() for weight in weights)
    if not here or size > MOST or not all(computes(precision(weight)) for weight in weights):
        return module
    return part_packed(module)


def part_packed(module: Any, kinds: Kinds = LINEAR) -> Any:
    """A part of something that is packed. kinds: what becomes of which type of layer."""
    if type(module) in kinds:
        return kinds[type(module)](module)
    return module.packed() if isinstance(module, PacksItself) else with_parts_packed(module, kinds)


def with_parts_packed(module: M, kinds: Kinds = LINEAR) -> M:
    """The same module with its parts packed."""
    made = copy.copy(module)
    made._modules = {name: part and part_packed(part, kinds) for name, part in module._modules.items()}
    return made
