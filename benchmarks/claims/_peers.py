"""The libraries that Tuwen is measured against, in an environment of their own: `make peers` builds it."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PEERS = Path(os.environ.get("TUWEN_PEERS", ROOT / ".venv-peers"))


def with_peer(package: str) -> None:
    """Go on in the environment that has the peer, where this one has it not.

    That environment sees this one's packages too, so that both sides run on the same PyTorch.
    """
    if importlib.util.find_spec(package) is None:
        python = PEERS / "bin" / "python"
        if not python.exists() or Path(sys.prefix).resolve() == PEERS.resolve():
            sys.exit(f"{package} is needed to measure against: run `make peers`, or say where it is with TUWEN_PEERS.")
        os.execv(python, [str(python), *sys.argv])


def import_open_clip() -> None:
    """Let torchvision, which open_clip needs, be imported beside a PyTorch without CUDA.

    Its PyPI build has compiled operators for CUDA alone, and gives two of them gradients before it looks for them.
    """
    import torch

    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
