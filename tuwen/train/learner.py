"""The network that is trained, with all that an optimizer step changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from tuwen.core.batch import Batch
from tuwen.core.errors import CheckpointError, TrainingError
from tuwen.core.loss import Loss
from tuwen.core.rooms import build_part
from tuwen.train.caching import Total, backward, cached_backward
from tuwen.train.checkpoints import Saved
from tuwen.train.config import TrainConfig
from tuwen.train.machine import autocast
from tuwen.train.optimizers import Trainable
from tuwen.train.processes import Team
from tuwen.train.sharding import alike, clip, is_share, put_together, shard, shared_like, whole


class TrainStep(Protocol):
    """What `fit` trains: an `nn.Module` whose forward pass gives the objectives' losses.

    weights: what each objective's loss an item is multiplied by in the total.
    """

    weights: Mapping[str, float]

    def __call__(self, batch: Batch) -> Mapping[str, Loss]:
        """The loss of each objective that finds items in the batch."""

    def counts(self, batch: Batch) -> Mapping[str, float]:
        """How many items each objective will find in the batch (`Loss.count`), known before the forward pass."""

    def depths(self) -> Mapping[str, int]:
        """By the name of a parameter that lies in layers, how many of them lie above it; asked for by `layer_decay`."""


class Learner:
    """A module, its optimizers and the moving average of its weights.

    Args:
        step: an `nn.Module` that is a `TrainStep`.
        config: optimizer, clipping, moving average.
        team: the processes that train together; all begin with the main process's weights.
        precision: `bf16` or `fp32`.
    """

    def __init__(self, step: nn.Module, config: TrainConfig, team: Team, precision: str) -> None:
        self.module, self.team, self.precision = step.to(team.device), team, precision
        self.weights: Mapping[str, float] = dict(sorted(step.weights.items()))  # type: ignore[union-attr, operator]
        self.counts: Callable[[Batch], Mapping[str, float]] = step.counts  # type: ignore[assignment]
        self.clip_norm, self.decay, self.caches = config.clip_norm, config.ema, config.gradient_cache
        team.spread(step)
        self.sharded = team.world > 1 and (config.shard or team.wants_shares)
        if self.sharded:
            shard(step, team.device)
        scales = _scales(step, config.layer_decay)
        context = Trainable(step, config.weight_decay, config.betas, scales, self.sharded)
        self.parameters = context.parameters()
        self.optimizers: list[Optimizer] = build_part("train.optimizers", config.optimizer, context, "train.optimizer")
        self.average = [p.detach().clone() for p in self.parameters] if config.ema else []

    def gradients(self, batches: Sequence[Batch], totals: Mapping[str, float]) -> list[dict[str, Loss]]:
        """Sum the gradients of some batches and of all processes.

        The gradient is that of the total `Σ_i weight_i · Σ sum_i / totals_i`, whatever the batches are cut into: each
        objective's sums are divided by its number of items in all batches of all processes.

        Returns:
            Each batch's losses, without gradients.
        """
        for parameter in self.parameters:
            parameter.grad = None
        outcome = self._backward_all(batches, totals)
        self.team.sum_gradients([parameter for parameter in self.parameters if not is_share(parameter)])
        return outcome

    def _backward_all(self, batches: Sequence[Batch], totals: Mapping[str, float]) -> list[dict[str, Loss]]:
        total = partial(self._total, totals)
        if self.caches:
            step: Any = self.module
            outcome = cached_backward(step, batches, total, self.team.device, self.precision)
        else:
            outcome = [self._backward(batch, total) for batch in batches]
        return [
            {name: Loss(loss.sum.detach(), loss.count.detach(), loss.parts) for name, loss in losses.items()}
            for losses in outcome
        ]

    def _backward(self, batch: Batch, total: Total) -> dict[str, Loss]:
        with autocast(self.precision, self.team.device):
            losses: dict[str, Loss] = self.module(batch.to(self.team.device, non_blocking=True))
        if self.sharded and not losses:
            raise TrainingError(
                f"the batch of {', '.join(batch.keys)} has nothing for any objective, and the other processes wait for "
                "its gradients: train without train.shard, or with larger batches."
            )
        backward(total(losses))
        return losses

    def _total(self, totals: Mapping[str, float], losses: Mapping[str, Loss]) -> Tensor:
        shares = [self.weights[name] * loss.sum / max(1.0, totals[name]) for name, loss in losses.items()]
        return torch.stack(shares).sum() if shares else torch.zeros(())

    def update(self, learning_rate: float, steps_done: int) -> Tensor:
        """Clip the gradients, take an optimizer step. Returns the gradient's length before clipping."""
        norm = clip(self.parameters, self.clip_norm or float("inf"))
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * group.get("scale", 1.0)
            optimizer.step()
        if self.decay:
            # A short memory at first, so that the initial weights are soon forgotten.
            decay = min(self.decay, (1 + steps_done) / (10 + steps_done))
            for kind in alike(self.parameters):
                average, now = ([tensors[place] for place in kind] for tensors in (self.average, self.parameters))
                get_ema_multi_avg_fn(decay)(average, now, None)  # type: ignore[no-untyped-call]
        return norm

    def put_together(self) -> None:
        """After training: give every process all of the weights, where each has had its share."""
        if self.sharded:
            put_together(self.module)

    @torch.no_grad()
    def use_average(self) -> None:
        """Put the moving average of the weights in the place of the weights, if there is one."""
        for parameter, value in zip(self.parameters, self.average, strict=False):
            parameter.copy_(value)

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """All tensors that training goes on from, by file and name. All processes must ask."""
        names = self._names()
        files = {"model": {name: whole(tensor) for name, tensor in _own_tensors(self.module).items()}}
        files["optimizer"] = {
            f"{number}/{names[id(parameter)]}/{entry}": whole(value)
            for number, optimizer in enumerate(self.optimizers)
            for parameter, entries in optimizer.state.items()
            for entry, value in entries.items()
        }
        if self.average:
            average = zip(self.parameters, self.average, strict=True)
            files["ema"] = {names[id(parameter)]: whole(value) for parameter, value in average}
        return files

    @torch.no_grad()
    def load(self, saved: Saved) -> None:
        """Go on from a checkpoint.

        Raises:
            CheckpointError: it belongs to another model or optimizer.
        """
        names = self._names()
        _copy("model", saved, _own_tensors(self.module))
        if self.average:
            _copy("ema", saved, {names[id(p)]: value for p, value in zip(self.parameters, self.average, strict=True)})
        state = saved.tensors("optimizer")
        for number, optimizer in enumerate(self.optimizers):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            entries: dict[int, dict[str, Tensor]] = {}
            for index, parameter in enumerate(parameters):
                prefix = f"{number}/{names[id(parameter)]}/"
                own = sorted(key for key in state if key.startswith(prefix))
                found = {
                    key.removeprefix(prefix): _laid_out(shared_like(state.pop(key), parameter), parameter)
                    for key in own
                }
                if found:
                    entries[index] = found
            optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})
        if state:
            raise CheckpointError(f"{saved.path}: the optimizer's {next(iter(state))} belongs to no parameter here.")

    def _names(self) -> dict[int, str]:
        return {id(parameter): name for name, parameter in self.module.named_parameters()}


def _scales(step: nn.Module, decay: float) -> dict[int, float]:
    """By the id of a parameter, what its learning rate is multiplied by."""
    if decay == 1:
        return {}
    depths: Mapping[str, int] = step.depths()  # type: ignore[operator]
    named = dict(step.named_parameters())
    return {id(named[name]): decay**depth for name, depth in depths.items()}


def _own_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and persistent buffers by name, those that share memory once."""
    kept = module.state_dict(keep_vars=True)
    buffers = {name: buffer for name, buffer in module.named_buffers() if name in kept}
    return dict(module.named_parameters()) | buffers


def _laid_out(value: Tensor, parameter: Tensor) -> Tensor:
    """In memory as the parameter is, and as it was before: the same numbers in another order are rounded otherwise."""
    if value.shape != parameter.shape or value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _copy(file: str, saved: Saved, targets: Mapping[str, Tensor]) -> None:
    found = saved.tensors(file)
    for name in sorted(found.keys() ^ targets.keys()):
        where = "is not in the model" if name in found else "is not in the checkpoint"
        raise CheckpointError(f"{saved.path}: {file} weight {name} {where}. Was the recipe changed?")
    for name, target in targets.items():
        if found[name].shape != target.shape:
            shapes = f"{list(found[name].shape)} in the checkpoint and {list(target.shape)} in the model"
            raise CheckpointError(f"{saved.path}: {file} weight {name} is {shapes}. Was the recipe changed?")
        target.copy_(shared_like(found[name], target))
