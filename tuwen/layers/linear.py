"""A linear layer for many rows at a time on a processor, in training as well."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tuwen.layers.onednn import computes, has_matrix_units, lay_out, precision, product

MANY = {torch.float32: 2048, torch.bfloat16: 8192}
"""From so many rows on, laying out the weight for one product costs less than it saves."""

NARROW = 384
"""Layers with at most so many inputs, and more outputs, have the gradients of their weights from a convolution, on a
processor without matrix units: how it is with them was not measured."""


class Linear(nn.Linear):
    """`x Wᵀ + b` as PyTorch's, faster where there are many rows on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """`[..., in]` → `[..., out]`."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`[..., in]`, `[out, in]` and `[out]` → `[..., out]`, as `F.linear`."""
    kind = precision(x)
    few = x.numel() // x.shape[-1] < MANY.get(kind, float("inf"))
    elsewhere = not x.device.type == weight.device.type == "cpu"
    if few or elsewhere or torch.compiler.is_compiling() or not computes(kind):
        return F.linear(x, weight, bias)
    found: Tensor = _Product.apply(x.to(kind), weight, bias)  # type: ignore[no-untyped-call]
    return found


def outputs(layer: nn.Module, x: Tensor, first: int, last: int) -> Tensor:
    """What a linear layer says in its outputs from `first` to before `last`; the others cost nothing in a plain one."""
    if type(layer) is not Linear:  # an adapter sits on it, or its weight is laid out or in few bits
        found: Tensor = layer(x)[..., first:last]
        return found
    bias = None if layer.bias is None else layer.bias[first:last]
    return linear(x, layer.weight[first:last], bias)


class _Product(torch.autograd.Function):
    """All in the precision of x; the gradients of weight and bias in theirs."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        context.save_for_backward(x, weight)
        context.bias_kind = None if bias is None else bias.dtype
        rows = x.numel() // x.shape[-1]
        return product(x, lay_out(weight.to(x.dtype), rows), None if bias is None else bias.to(x.dtype))

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = context.saved_tensors
        wants_x, wants_weight, wants_bias = context.needs_input_grad
        own = weight.to(x.dtype)
        rows = gradient.flatten(0, -2)
        of_x = product(gradient, lay_out(own.t(), len(rows)), None) if wants_x else None
        of_weight: Tensor | None = None
        of_bias: Tensor | None = None
        if wants_weight and wants_bias and _narrow(x, weight):
            of_weight, of_bias = _by_convolution(x, own, gradient)
        else:
            of_weight = rows.t() @ x.flatten(0, -2) if wants_weight else None
            of_bias = rows.sum(0) if wants_bias else None
        return (
            of_x,
            None if of_weight is None else of_weight.to(weight.dtype),
            None if of_bias is None else of_bias.to(context.bias_kind),
        )


def _narrow(x: Tensor, weight: Tensor) -> bool:
    """Whether a convolution finds the gradients of such a layer faster (measured: up to 1.3 times, else 0.9)."""
    if x.dtype != torch.bfloat16 or has_matrix_units():
        return False
    equal_rows = x.dim() == 3 and len(x) > 1  # where lengths vary, each new one would have a kernel made
    return equal_rows and weight.shape[1] <= NARROW and len(weight) > weight.shape[1]


def _by_convolution(x: Tensor, weight: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of weight and bias in one pass: a linear layer is a convolution of 1 by 1.

    Args:
        x: `[B, N, in]`.
        weight: `[out, in]`.
        gradient: of the result, `[B, N, out]`.
    """
    images, of_images = (each.contiguous().unsqueeze(2).permute(0, 3, 1, 2) for each in (x, gradient))
    how = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "output_padding": [0, 0]}
    _, of_weight, of_bias = torch.ops.aten.convolution_backward(
        of_images,
        images,
        weight[:, :, None, None],
        [len(weight)],
        **how,
        transposed=False,
        groups=1,
        output_mask=[False, True, True],
    )
    return of_weight[:, :, 0, 0], of_bias
