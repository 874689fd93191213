"""The mean of the two projected vectors: half the element-wise sum (Fukui et al. 2016, arXiv:1606.01847)."""

from __future__ import annotations

from torch import Tensor

from tuwen.fusion import FusionContext
from tuwen.fusion._vectors import VectorConfig as Config
from tuwen.fusion._vectors import VectorFusion


class Mean(VectorFusion):
    """`(W_i image + W_t text) / 2`."""

    def combine(self, image: Tensor, text: Tensor) -> Tensor:
        return (image + text) / 2


def build(config: Config, context: FusionContext) -> Mean:
    return Mean(config, context)
