"""Weights of GPT-2 (Radford et al. 2019) as Transformers keeps them, in our `gpt`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from tuwen.core.errors import CheckpointError

State = Mapping[str, Tensor]

NAMES = {
    "wte.weight": "token.weight",
    "wpe.weight": "position.weight",
    "ln_f.": "norm.",
    "h.": "blocks.",
}
WITHIN = {
    ".ln_1.": ".attention_norm.",
    ".ln_2.": ".mlp_norm.",
    ".attn.c_attn.": ".attention.qkv.",
    ".attn.c_proj.": ".attention.out.",
    ".mlp.c_fc.": ".mlp.up.",
    ".mlp.c_proj.": ".mlp.down.",
}
TURNED = re.compile(r"\.(c_attn|c_proj|c_fc)\.weight$")
"""Stored as `[in, out]`."""
NO_WEIGHTS = re.compile(r"\.attn\.(masked_)?bias$|^lm_head\.weight$")
"""Masks that old files keep, and the output layer, which is the embedding."""


def gpt_settings(state: State, heads: int) -> dict[str, Any]:
    """`model.language` of a recipe for these weights. heads: of its attention, which no weight tells.

    Raises:
        CheckpointError: they are not GPT-2's.
    """
    found = from_gpt2(state)
    depth = 1 + max(int(name.split(".")[1]) for name in found if name.startswith("blocks."))
    ratio = len(found["blocks.0.mlp.up.bias"]) / found["token.weight"].shape[1]
    width = found["token.weight"].shape[1]
    return {"kind": "gpt", "width": width, "depth": depth, "heads": heads, "mlp_ratio": ratio, "gelu": "tanh"}


def from_gpt2(state: State) -> dict[str, Tensor]:
    """The `state_dict` of Transformers' GPT-2, with or without its head, as that of `tuwen.language.gpt.GPT`.

    Raises:
        CheckpointError: they are not GPT-2's.
    """
    found: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name = key.removeprefix("transformer.")
        if not NO_WEIGHTS.search(name):
            found[_name(name, key)] = tensor.T.contiguous() if TURNED.search(name) else tensor
    if missing := {"token.weight", "position.weight", "norm.weight", "blocks.0.mlp.up.bias"} - found.keys():
        raise CheckpointError(f"these weights are not those of a GPT-2: {min(missing)} is missing among them.")
    return found


def _name(name: str, key: str) -> str:
    for theirs, ours in NAMES.items():
        if name.startswith(theirs):
            renamed = ours + name.removeprefix(theirs)
            for old, new in WITHIN.items():
                renamed = renamed.replace(old, new)
            return renamed
    raise CheckpointError(f"these weights are not those of a GPT-2: there is a {key} among them. Try kind: hf.")
