"""What is trained: a model with its objectives, as one module that turns a batch into losses."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from tuwen.core.batch import Batch
from tuwen.core.loss import Loss
from tuwen.layers.blocks import Block, CrossBlock
from tuwen.models.model import VisionLanguageModel
from tuwen.objectives import Objective


class Step(nn.Module):
    """The objectives of one model. Those that find nothing in a batch sit it out."""

    def __init__(self, model: VisionLanguageModel, objectives: Mapping[str, Objective]) -> None:
        super().__init__()
        self.model = model
        self.objectives = dict(objectives)
        self.weights = {name: objective.weight for name, objective in objectives.items()}

    def forward(self, batch: Batch) -> dict[str, Loss]:
        """The loss of each objective that finds items in the batch; they share one forward pass."""
        shared = self.model(batch)
        return {name: objective(shared) for name, objective in self.objectives.items() if objective.count(batch)}

    def counts(self, batch: Batch) -> dict[str, float]:
        """How many items each objective finds in the batch."""
        return {name: objective.count(batch) for name, objective in self.objectives.items()}

    def compile_(self) -> None:
        """Compile the Transformer blocks, once for all lengths."""
        for part in self.model.modules():
            if isinstance(part, Block | CrossBlock):
                part.compile(dynamic=True)
