"""Gradients of losses that compare all samples of a step, in the memory of one of its batches.

Gao et al. 2021, "Scaling deep contrastive learning batch size under memory limited setup" (GradCache),
arXiv:2101.06983, section 3.2: embed every batch without a graph; take the gradient of the loss with respect to all
embeddings; then embed each batch once more, with a graph, and give its embeddings their gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tuwen.core.batch import Batch
from tuwen.core.loss import Loss
from tuwen.train.machine import autocast, seed_everything

Embedded = Mapping[Hashable, Tensor]
Total = Callable[[Mapping[str, Loss]], Tensor]


class ComparingStep(Protocol):
    """A `TrainStep` some of whose objectives read nothing but embeddings, which can be computed apart."""

    def embed(self, batch: Batch) -> Embedded:
        """The embeddings that those objectives read, by name."""

    def compare(self, batches: Sequence[Batch], embedded: Sequence[Embedded]) -> Mapping[str, Loss]:
        """Those objectives' losses over all batches together."""

    def others(self, batch: Batch) -> tuple[Mapping[str, Loss], Embedded]:
        """The losses of all other objectives, and the embeddings of `embed`, from one forward pass."""


def cached_backward(
    step: ComparingStep, batches: Sequence[Batch], total: Total, device: torch.device, precision: str
) -> list[dict[str, Loss]]:
    """Add the gradients of a step to its parameters.

    Args:
        step: what is trained.
        batches: on the CPU or on the device; one at a time is on the device.
        total: from losses to the scalar that is minimised.
        device: of the step. precision: `bf16` or `fp32`.

    Returns:
        Each batch's losses; those of the comparison stand with the first.
    """
    seed = int(torch.randint(2**62, ()))
    found: list[dict[Hashable, Tensor]] = []
    for number, batch in enumerate(batches):
        seed_everything(device, seed, number)
        with torch.no_grad(), autocast(precision, device), _statistics_kept(step):
            embedded = step.embed(batch.to(device, non_blocking=True))
        found.append({name: values.detach().requires_grad_() for name, values in embedded.items()})
    compared = dict(step.compare(batches, found))
    backward(total(compared))
    outcome: list[dict[str, Loss]] = []
    for number, (batch, cached) in enumerate(zip(batches, found, strict=True)):
        seed_everything(device, seed, number)  # what is dropped out is what was dropped out before
        with autocast(precision, device):
            losses, again = step.others(batch.to(device, non_blocking=True))
        carried = [(again[name] * values.grad).sum() for name, values in cached.items() if values.grad is not None]
        backward(sum(carried, start=total(losses)))
        outcome.append(dict(losses))
    outcome[0] |= compared
    return outcome


def backward(total: Tensor) -> None:
    """Add the gradients of a scalar; nothing where nothing depends on a parameter."""
    if total.requires_grad:
        total.backward()  # type: ignore[no-untyped-call]


@contextmanager
def _statistics_kept(step: ComparingStep) -> Iterator[None]:
    """Have batch norms normalise as in training, and leave their running statistics to the pass with a graph."""
    modules = step.modules() if isinstance(step, nn.Module) else ()
    norms = [module for module in modules if isinstance(module, _BatchNorm) and module.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
