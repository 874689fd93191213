"""Linear layers on a processor by oneDNN, which PyTorch brings along, with weights laid out for it beforehand.

`F.linear` gives a float32 product to MKL, which lays the weight out anew each time, and computes slower than oneDNN on
AMD's processors; a bf16 product with a bias first fills the result with the bias. The operators used here are those
that PyTorch's own compiler gives linear layers to (`torch._inductor.fx_passes.mkldnn_fusion`); where a version of
PyTorch lacks them, layers stay as they are.

Measured on two Zen 4 cores, 18,560 rows, 256 to 1,024 wide: float32 179 to 190 GFLOP/s instead of 97 to 123; bf16 381
to 391 instead of 285 to 348.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Gelu = Literal["none", "tanh"]
"""GELU as it is defined, or as GPT-2 approximates it by a tanh (Hendrycks and Gimpel 2016, arXiv:1606.08415)."""


def computes(kind: torch.dtype) -> bool:
    """Whether it computes products in this precision on this machine; it was measured on those with AVX."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    with_avx = torch.backends.cpu.get_cpu_capability().startswith("AVX")
    if not with_avx or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    return kind == torch.float32 or (kind == torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))


def has_matrix_units() -> bool:
    """Whether the processor has some for bf16 (AMX); also where PyTorch cannot tell."""
    told = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(told.get("amx_bf16", True))


def lay_out(weight: Tensor, rows: int) -> Tensor:
    """A weight `[out, in]` as products with about so many rows want it; those with others are computed as well."""
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows)


def product(x: Tensor, laid_out: Tensor, bias: Tensor | None, gelu: Gelu | None = None) -> Tensor:
    """`x Wᵀ + b` of one precision, `[..., in]` → `[..., out]`, with GELU of it where one is named; no gradients."""
    after: tuple[str, list[float], str] = ("none", [], "") if gelu is None else ("gelu", [], gelu)
    return torch.ops.mkldnn._linear_pointwise(x, laid_out, bias, *after)


def precision(x: Tensor) -> torch.dtype:
    """In which a linear layer computes now: autocast's, or that of what it is given."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
