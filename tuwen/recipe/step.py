"""What is trained: a model with its objectives, as one module that turns a batch into losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from tuwen.core.batch import Batch
from tuwen.core.errors import RecipeError
from tuwen.core.everyone import world
from tuwen.core.loss import Loss
from tuwen.layers.blocks import Block, CrossBlock
from tuwen.models.depth import depths
from tuwen.models.forward import Forward
from tuwen.models.joined import Embeddings, Joined, embeddings
from tuwen.models.model import VisionLanguageModel
from tuwen.models.parts import parts_of
from tuwen.objectives import Objective, Term

LAYERED = ("image", "text", "language")
"""The parts that consist of layers, the lower of which may learn more slowly."""


class Step(nn.Module):
    """The terms of a model's objectives, by name. Those that find nothing in a batch sit it out, but for those that
    other processes wait for.

    weights: the factor of each term in the total.

    Raises:
        RecipeError: the model has not the head that a term asks for.
    """

    def __init__(self, model: VisionLanguageModel, objectives: Mapping[str, Objective[Any]]) -> None:
        super().__init__()
        self.model = model
        weighted = {path: term for name, part in objectives.items() for path, term in part.terms(name).items()}
        self.terms = {path: term for path, (_, term) in weighted.items()}
        for path, term in self.terms.items():
            _check_heads(path, term, model)
        self.weights = {path: weight for path, (weight, _) in weighted.items()}

    def forward(self, batch: Batch) -> dict[str, Loss]:
        """The loss of each term that finds items in the batch; they share one forward pass."""
        return self._losses(self.model(batch), self.terms)

    def embed(self, batch: Batch) -> Embeddings:
        """What the terms that join others read of a batch."""
        return self._embed(self.model(batch))

    def compare(self, batches: Sequence[Batch], embedded: Sequence[Embeddings]) -> dict[str, Loss]:
        """The losses of the terms that join others, over several batches together."""
        return self._losses(Joined(self.model, batches, embedded), self._joining)

    def others(self, batch: Batch) -> tuple[dict[str, Loss], Embeddings]:
        """The losses of all other terms, and what those that join others read, from one forward pass."""
        shared = self.model(batch)
        embedded = self._embed(shared)  # first, as in `embed`: so it draws the same random numbers
        return self._losses(shared, {name: term for name, term in self.terms.items() if not term.joins}), embedded

    @property
    def _joining(self) -> dict[str, Term[Any]]:
        return {name: term for name, term in self.terms.items() if term.joins}

    def _embed(self, forward: Forward) -> Embeddings:
        return embeddings(forward, sorted({term.config.stream for term in self._joining.values()}))

    def _losses(self, forward: Forward, terms: Mapping[str, Term[Any]]) -> dict[str, Loss]:
        company = self.training and world() > 1
        here = {name: term for name, term in terms.items() if term.count(forward.batch) or (term.joins and company)}
        return {name: term(forward) for name, term in here.items()}

    def counts(self, batch: Batch) -> dict[str, float]:
        """How many items each term finds in the batch."""
        return {name: term.count(batch) for name, term in self.terms.items()}

    def depths(self) -> dict[str, int]:
        """By the name of a parameter of a tower or of the language model, how many layers lie above it."""
        names = {module: name for name, module in self.named_modules()}
        parts = parts_of(self.model)
        layered = [module for part in LAYERED if part in parts for module in parts[part]]
        return {f"{names[m]}.{name}": depth for m in layered for name, depth in depths(m).items()}

    def compile_(self) -> None:
        """Compile the Transformer blocks, once for all lengths."""
        for part in self.model.modules():
            if isinstance(part, Block | CrossBlock):
                part.compile(dynamic=True)


def _check_heads(path: str, term: Term[Any], model: VisionLanguageModel) -> None:
    for setting, like in term.heads.items():
        name = getattr(term.config, setting)
        if name not in model.heads:
            there = ", ".join(model.heads) or "none"
            hidden = "" if like.hidden is None else f", hidden: {like.hidden}"
            raise RecipeError(
                f"objectives.{path}: the model has no head {name!r} (its heads: {there}). Add it to model.heads, "
                f"such as `{name}: {{reads: {like.reads}, classes: {like.classes}{hidden}}}`."
            )
