"""The two vectors side by side, through one linear map and a ReLU.

A baseline of Fukui et al. 2016 ("Concatenation + FC"), arXiv:1606.01847.
"""

from __future__ import annotations

import torch
from torch import nn

from tuwen.core.features import Features
from tuwen.fusion import Fusion, FusionContext, spread
from tuwen.fusion._vectors import VectorConfig as Config


class Concat(Fusion):
    """`ReLU(W [image; text])`."""

    def __init__(self, config: Config, context: FusionContext) -> None:
        super().__init__()
        self.width = config.width
        self.join = nn.Linear(context.image_width + context.text_width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, image: Features, text: Features, rows: torch.Tensor | None = None) -> Features:
        pictures = spread(image.pooled, len(text.pooled), rows)
        joined = self.dropout(torch.relu(self.join(torch.cat([pictures, text.pooled], -1))))
        return Features(joined.unsqueeze(1), joined)


def build(config: Config, context: FusionContext) -> Concat:
    return Concat(config, context)
