"""What an encoder returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Features:
    """An encoder's output. Shapes: B rows, N tokens (patches or words), D width.

    tokens: `[B, N, D]`, one vector a patch or word.
    pooled: `[B, D]`, one vector for the whole.
    mask: `[B, N]` bool, True where `tokens` is real; None where all are.
    intermediates: further outputs by name (a name is a path: `block2.out`), for study and explanation.
    """

    tokens: Tensor
    pooled: Tensor
    mask: Tensor | None = None
    intermediates: dict[str, Tensor] = field(default_factory=dict)
