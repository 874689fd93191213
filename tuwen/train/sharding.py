"""Weights, gradients and the optimizer's memory shared out among the processes, for what is too large for one device.

As Rajbhandari et al. 2020 (ZeRO, arXiv:1910.02054), by PyTorch's FSDP: weights are gathered for a step's forward and
backward pass, and then each process keeps its share of them, of the summed gradients and of AdamW's moments. The module
is one unit, whatever of it a batch uses: so processes exchange the same also where their batches have different tasks.
Of W processes each holds 16 / W bytes a weight between steps and 8 more in a step, instead of 16.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from tuwen.core.everyone import world


def shard(module: nn.Module, device: torch.device) -> None:
    """Leave a share of a module's parameters in each process; every forward pass gathers them.

    Gradients are summed, and not averaged: each process's loss is divided by the items of all processes already.
    Single numbers (temperatures) stay whole in every process, and their gradients are not summed here.
    """
    numbers = {parameter for parameter in module.parameters() if not parameter.ndim}
    fully_shard(module, mesh=init_device_mesh(device.type, (world(),)), ignored_params=numbers)
    assert isinstance(module, FSDPModule)
    module.set_gradient_divide_factor(1.0)
    module.set_force_sum_reduction_for_comms(True)
    module.set_reduce_scatter_unused_params(True)


def is_share(tensor: Tensor) -> bool:
    """Whether this process has but a share of it."""
    return isinstance(tensor, DTensor)


def alike(parameters: Sequence[nn.Parameter]) -> list[list[int]]:
    """The places of those that are shared out, and of those that are not: PyTorch takes no lists that have both."""
    kinds: dict[bool, list[int]] = {}
    for place, parameter in enumerate(parameters):
        kinds.setdefault(is_share(parameter), []).append(place)
    return list(kinds.values())


def clip(parameters: Sequence[nn.Parameter], longest: float) -> Tensor:
    """Shorten the gradient of all parameters together to `longest`, which may be infinite. Returns how long it was."""
    kinds = [[parameters[place] for place in kind] for kind in alike(parameters)]
    norms = [whole(get_total_norm([p.grad for p in kind if p.grad is not None])) for kind in kinds]
    norm = norms[0] if len(norms) == 1 else torch.stack(norms).norm()
    if longest < math.inf:
        for kind in kinds:
            clip_grads_with_norm_(kind, longest, norm)
    return norm


def whole(tensor: Tensor) -> Tensor:
    """A tensor of which each process has a share, or any other. All processes must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def shared_like(value: Tensor, like: Tensor) -> Tensor:
    """The share that this process has of `value` where `like` is shared out; else `value` itself. All must ask."""
    if not isinstance(like, DTensor) or value.shape != like.shape:
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


@torch.no_grad()
def put_together(module: nn.Module) -> None:
    """Give every process all of the parameters again, as plain ones. The module itself cannot be run any more, but
    those within it can."""
    made: dict[nn.Parameter, nn.Parameter] = {}
    for child in module.modules():
        for name, parameter in list(child.named_parameters(recurse=False)):
            if isinstance(parameter, DTensor):
                if parameter not in made:
                    made[parameter] = nn.Parameter(parameter.full_tensor(), parameter.requires_grad)
                setattr(child, name, made[parameter])
