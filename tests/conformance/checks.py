"""What any part can be asked for, whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tuwen.core.rooms import build_part, find_part

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
"""How much a row may change by the company that it is in, in float32."""


def settings(room: str, kind: str) -> dict[str, Any]:
    """A part with its defaults; settings that have none are those of the module's `EXAMPLE`."""
    return {"kind": kind, **getattr(find_part(room, kind), "EXAMPLE", {})}


def build(room: str, kind: str, context: Any, seed: int = 0) -> Any:
    """A part as a recipe builds it, with random weights. One that needs an extra is tried where that is installed."""
    package = getattr(find_part(room, kind), "PACKAGE", None)
    if package is not None:
        pytest.importorskip(
            package, reason=f"{room}.{kind} needs the extra {package!r}: pip install 'tuwen[{package}]'"
        )
    torch.manual_seed(seed)
    return build_part(room, settings(room, kind), context)


def random(*shape: int, seed: int = 1) -> Tensor:
    """Normal numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_every_weight_learns(module: nn.Module, outputs: Iterable[Tensor]) -> None:
    """A random mixture of the outputs has a finite gradient, not all zeros, for each trainable weight."""
    module.zero_grad()
    sum((output.float() * random(*output.shape)).sum() for output in outputs).backward()
    for name, weight in module.named_parameters():
        if weight.requires_grad:
            assert weight.grad is not None, f"{name} has no gradient"
            assert weight.grad.isfinite().all(), f"the gradient of {name} is not finite"
            assert weight.grad.any(), f"the gradient of {name} is all zeros"


def assert_saved_weights_are_all_of_it(
    room: str, kind: str, context: Any, run: Callable[[Any], Iterable[Tensor]]
) -> None:
    """A part with other random weights gives the same outputs once it has the first one's state."""
    first, second = (build(room, kind, context, seed).eval() for seed in (0, 1))
    wanted = [output.detach() for output in run(first)]
    assert any(not torch.equal(output, other) for output, other in zip(wanted, run(second), strict=True))
    second.load_state_dict(first.state_dict())
    for output, other in zip(wanted, run(second), strict=True):
        assert torch.equal(output, other)
