"""How weights begin."""

from __future__ import annotations

from torch import nn


def initialise(module: nn.Module, depth: int) -> None:
    """Draw the weights of a Transformer's linear layers and embeddings from N(0, 0.02²), biases zero.

    The layers that write to the residual stream (`out`, `down`) are scaled by 1/√(2·depth), so that its variance does
    not grow with depth (Radford et al. 2019, GPT-2, section 2.3).
    """
    for name, part in module.named_modules():
        if isinstance(part, nn.Linear):
            residual = name.rsplit(".", 1)[-1] in ("out", "down")
            nn.init.normal_(part.weight, std=0.02 / (2 * depth) ** 0.5 if residual else 0.02)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=0.02)
