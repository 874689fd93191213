"""Linear layers whose weights are kept in eight bits (Dettmers et al. 2022, LLM.int8(), arXiv:2208.07339, section 2.1).

Each output has a scale of its own: the largest weight of its row is 127. Such a layer does not learn; gradients flow
through it to what it reads.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Int8Linear(nn.Module):
    """`x Wᵀ + b` with W as int8 `[out, in]` times a scale `[out]`; a quarter of the bytes of float32."""

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        scale = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / 127
        self.register_buffer("weight", (weight / scale[:, None]).round().to(torch.int8))
        self.register_buffer("scale", scale.float())
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """`[..., in]` → `[..., out]`, computed in the precision of `x`."""
        seen = F.linear(x, self.weight.to(x.dtype)) * self.scale.to(x.dtype)
        return seen if self.bias is None else seen + self.bias.to(seen.dtype)


@torch.no_grad()
def quantise(module: nn.Module) -> None:
    """Replace every linear layer inside, but for those whose weight is also a table of embeddings."""
    from transformers.pytorch_utils import Conv1D  # GPT-2's linear layer, its weight turned round

    tables = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    for parent in list(module.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Linear | Conv1D) and id(layer.weight) not in tables:
                weight = layer.weight if isinstance(layer, nn.Linear) else layer.weight.T
                setattr(parent, name, Int8Linear(weight, layer.bias))
