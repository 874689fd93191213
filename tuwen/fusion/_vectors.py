"""What fusions of two pooled vectors share."""

from __future__ import annotations

from abc import abstractmethod

from pydantic import Field
from torch import Tensor, nn

from tuwen.core.features import Features
from tuwen.core.rooms import PartConfig
from tuwen.fusion import Fusion, FusionContext, spread


class VectorConfig(PartConfig):
    """width: of the joined vector; dropout: on it, in training."""

    width: int = Field(default=256, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class VectorFusion(Fusion):
    """Projects a picture's and a text's pooled vector to one width and combines them."""

    def __init__(self, config: VectorConfig, context: FusionContext) -> None:
        super().__init__()
        self.width = config.width
        self.image = nn.Linear(context.image_width, config.width)
        self.text = nn.Linear(context.text_width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    @abstractmethod
    def combine(self, image: Tensor, text: Tensor) -> Tensor:
        """Two of `[R, D]` → `[R, D]`."""

    def forward(self, image: Features, text: Features, rows: Tensor | None = None) -> Features:
        pictures = spread(self.image(image.pooled), len(text.pooled), rows)
        joined = self.dropout(self.combine(pictures, self.text(text.pooled)))
        return Features(joined.unsqueeze(1), joined)
