"""The sum of the two projected vectors (a baseline of Fukui et al. 2016, arXiv:1606.01847)."""

from __future__ import annotations

from torch import Tensor

from tuwen.fusion import FusionContext
from tuwen.fusion._vectors import VectorConfig as Config
from tuwen.fusion._vectors import VectorFusion


class Add(VectorFusion):
    """`W_i image + W_t text`."""

    def combine(self, image: Tensor, text: Tensor) -> Tensor:
        return image + text


def build(config: Config, context: FusionContext) -> Add:
    return Add(config, context)
