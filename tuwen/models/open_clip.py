"""Models trained with open_clip, as ours: its Vision Transformer and its text Transformer, weight by weight.

Only the plain CLIP architecture (Radford et al. 2021): a class token, a norm before the first block, exact GELU, a
causal text tower read at its last token. What else open_clip has is refused, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tuwen.core.errors import CheckpointError

State = Mapping[str, Tensor]

WHOLE = {
    "logit_scale": "logit_scale",
    "visual.class_embedding": "image_tower.class_token",
    "visual.positional_embedding": "image_tower.position",
    "visual.conv1.weight": "image_tower.stem.0.weight",
    "visual.proj": "image_projection.weight",
    "token_embedding.weight": "text_tower.token.weight",
    "positional_embedding": "text_tower.position",
    "text_projection": "text_projection.weight",
}
PREFIXES = {
    "visual.transformer.resblocks.": "image_tower.blocks.",
    "visual.ln_pre.": "image_tower.enter_norm.",
    "visual.ln_post.": "image_tower.norm.",
    "transformer.resblocks.": "text_tower.blocks.",
    "ln_final.": "text_tower.norm.",
}
WITHIN = {
    "attn.in_proj_": "attention.qkv.",
    "attn.out_proj.": "attention.out.",
    "ln_1.": "attention_norm.",
    "ln_2.": "mlp_norm.",
    "mlp.c_fc.": "mlp.up.",
    "mlp.c_proj.": "mlp.down.",
}
TURNED = ("visual.proj", "text_projection")
"""Stored as `[in, out]`."""
LED = ("visual.class_embedding", "visual.positional_embedding", "positional_embedding")
"""Stored without the axis of the batch."""


def model_settings(state: State, heads: tuple[int, int]) -> dict[str, Any]:
    """`model` of a recipe, for the weights of an open_clip model. heads: of its image and text towers, which no weight
    tells.

    Raises:
        CheckpointError: the model is of another architecture.
    """
    _check(state)
    patch = state["visual.conv1.weight"]
    image, text = patch.shape[0], state["token_embedding.weight"].shape[1]
    hidden = "resblocks.0.mlp.c_fc.weight"
    tower = {"kind": "vit", "patch": patch.shape[-1], "pool": "class", "enter_norm": True}
    sizes = [
        {
            "width": width,
            "depth": _depth(state, prefix),
            "heads": number,
            "mlp_ratio": len(state[prefix + hidden]) / width,
        }
        for width, prefix, number in ((image, "visual.transformer.", heads[0]), (text, "transformer.", heads[1]))
    ]
    return {
        "image": {**tower, **sizes[0]},
        "text": {"kind": "transformer", "causal": True, "pool": "last", **sizes[1]},
        "embedding": state["text_projection"].shape[1],
    }


def from_open_clip(state: State) -> dict[str, Tensor]:
    """The `state_dict` of an open_clip model as that of a `VisionLanguageModel` with those settings.

    Raises:
        CheckpointError: the model is of another architecture.
    """
    _check(state)
    found = {_name(key): _value(key, tensor) for key, tensor in state.items() if key != "attn_mask"}
    found["image_tower.stem.0.bias"] = torch.zeros(len(state["visual.conv1.weight"]))
    found["logit_bias"] = state.get("logit_bias", torch.tensor(-10.0))
    return found


def _name(key: str) -> str:
    if key in WHOLE:
        return WHOLE[key]
    for theirs, ours in PREFIXES.items():
        if key.startswith(theirs):
            rest = key.removeprefix(theirs)
            for old, new in WITHIN.items():
                rest = rest.replace(old, new)
            return ours + rest
    return key


def _value(key: str, tensor: Tensor) -> Tensor:
    if key in TURNED:
        return tensor.T.contiguous()
    if key in LED:
        return tensor.view(1, -1, tensor.shape[-1])
    return tensor


def _depth(state: State, prefix: str) -> int:
    numbers = [re.match(re.escape(f"{prefix}resblocks.") + r"(\d+)\.", key) for key in state]
    return 1 + max(int(found[1]) for found in numbers if found)


def _check(state: State) -> None:
    missing = [key for key in (*WHOLE, "ln_final.weight", "visual.ln_pre.weight") if key not in state]
    strange = [key for key in state if _name(key) == key and key not in ("logit_scale", "logit_bias", "attn_mask")]
    if missing or strange:
        what = f"has no {missing[0]}" if missing else f"has {strange[0]}"
        raise CheckpointError(
            f"these weights are not those of open_clip's plain CLIP with two Transformers: the model {what}. "
            "Others can be read by their own towers: kind: hf, or kind: timm."
        )
