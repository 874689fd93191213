"""The processes that train one model together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
from accelerate import Accelerator, DistributedType
from torch import Tensor, nn

BUCKET = 2**23
"""Numbers that are summed over the processes in one go."""


class Team:
    """What the training loop needs of its fellow processes; alone, all of it is free.

    Gradients are summed here, once a step, instead of by DistributedDataParallel: each objective has a count of its own
    to be divided by, batches may lack a task that other processes' batches have, and the order of the additions must
    be the same after a resumption for the weights to be the same.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.device: torch.device = accelerator.device
        self.rank: int = accelerator.process_index
        self.world: int = accelerator.num_processes
        self.wants_shares = accelerator.distributed_type == DistributedType.FSDP
        # Decisions are exchanged between the processors, so that they never wait for the accelerators.
        self._group = dist.new_group(backend="gloo") if self.world > 1 else None

    @property
    def main(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def add(self, values: Sequence[float]) -> list[float]:
        """The sums of the processes' values."""
        if self.world == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total, group=self._group)
        return total.tolist()

    def gather(self, values: Sequence[int]) -> list[list[int]]:
        """The values of every process, equally many of each."""
        if self.world == 1:
            return [list(values)]
        own = torch.tensor(values, dtype=torch.int64)
        everyone = [torch.empty_like(own) for _ in range(self.world)]
        dist.all_gather(everyone, own, group=self._group)
        return [each.tolist() for each in everyone]

    def wait(self) -> None:
        """Go on when all processes are here."""
        if self.world > 1:
            dist.barrier(group=self._group)

    def spread(self, module: nn.Module) -> None:
        """Give every process the main process's parameters and buffers."""
        if self.world > 1:
            for tensor in [*module.parameters(), *module.buffers()]:
                dist.broadcast(tensor.detach(), src=0)

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the processes; where only some have one, the others count as zero."""
        if self.world == 1:
            return
        have = self.add([parameter.grad is not None for parameter in parameters])
        used = [parameter for parameter, number in zip(parameters, have, strict=True) if number]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in used]
        for parameter, gradient in zip(used, gradients, strict=True):
            parameter.grad = gradient
        for bucket in _buckets(gradients):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            dist.all_reduce(flat)
            pieces = torch.split(flat, [gradient.numel() for gradient in bucket])
            for gradient, piece in zip(bucket, pieces, strict=True):
                gradient.copy_(piece.view_as(gradient))


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and (sum(t.numel() for t in bucket) + tensor.numel() > BUCKET or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket
