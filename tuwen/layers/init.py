"""How weights begin."""

from __future__ import annotations

from torch import nn


def initialise(module: nn.Module, depth: int) -> None:
    """Draw a Transformer's weights so that what enters a layer with unit variance leaves it with unit variance.

    Linear layers from N(0, 1/fan_in), embeddings from N(0, 1/D), biases zero: at the widths that are trained
    from scratch here a fixed 0.02 (which suits D of 2,500) would begin with attention and logits close to uniform. The
    layers that write to the residual stream (`out`, `down`) are scaled by 1/√(2·depth), so that its variance does not
    grow with depth (Radford et al. 2019, GPT-2, section 2.3).
    """
    for name, part in module.named_modules():
        if isinstance(part, nn.Linear):
            residual = name.rsplit(".", 1)[-1] in ("out", "down")
            nn.init.normal_(part.weight, std=(part.in_features * (2 * depth if residual else 1)) ** -0.5)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=part.embedding_dim**-0.5)
