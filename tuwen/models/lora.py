"""Low-rank adapters for parts that otherwise stay as they are (Hu et al. 2022, LoRA, arXiv:2106.09685), through peft.

A linear layer's weight W becomes `W + (alpha / rank) · B A`, where only A `[rank, in]` and B `[out, rank]` learn, and B
begins with zeros. In the folder of a trained model the sum stands in the place of W: using it needs no adapters.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import PartConfig

ADAPTER = "default"
"""What peft calls an adapter that nobody named."""


class LoraConfig(PartConfig):
    """rank: of the update. alpha: its scale is alpha / rank; alpha is twice the rank where null.

    targets: the layers, by the ends of their names (`q_proj`, `attention.qkv`); every linear layer where empty.
    dropout: on what the adapters read, in training.
    """

    rank: int = Field(default=8, ge=1)
    alpha: float | None = Field(default=None, gt=0)
    targets: tuple[str, ...] = ()
    dropout: float = Field(default=0.0, ge=0, lt=1)


def add_adapters(modules: Sequence[nn.Module], config: LoraConfig, where: str) -> None:
    """Freeze modules, and give their linear layers adapters that learn.

    Raises:
        RecipeError: there is no such layer. `where` is the setting's key.
    """
    import peft

    for module in modules:
        linear = linear_layers(module)
        names = [name for name in linear if not config.targets or _ends(name, config.targets)]
        if not names:
            known = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in linear})) or "none"
            raise RecipeError(
                f"{where}.targets: no linear layer's name ends in {', '.join(config.targets) or 'anything'}; "
                f"they end in: {known}."
            )
        settings = peft.LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha or 2 * config.rank,
            target_modules=names,
            lora_dropout=config.dropout,
            fan_in_fan_out=not isinstance(linear[names[0]], nn.Linear),
        )
        peft.inject_adapter_in_model(settings, module, adapter_name=ADAPTER)


@torch.no_grad()
def merged_state(module: nn.Module) -> dict[str, Tensor]:
    """The state dict that the module would have if its adapters' updates were part of its weights."""
    state = module.state_dict()
    for name, layer in module.named_modules():
        if not hasattr(layer, "get_delta_weight"):
            continue
        own = {key: state.pop(key) for key in list(state) if key.startswith(f"{name}.")}
        base = f"{name}.base_layer."
        state |= {f"{name}.{key.removeprefix(base)}": value for key, value in own.items() if key.startswith(base)}
        delta = layer.get_delta_weight(ADAPTER)
        state[f"{name}.weight"] = own[f"{base}weight"] + delta.to(own[f"{base}weight"].dtype)
    return state


def linear_layers(module: nn.Module) -> dict[str, nn.Module]:
    """The layers that map one vector to another, but for those whose weight is also a table of embeddings."""
    from transformers.pytorch_utils import Conv1D  # GPT-2's linear layer, its weight turned round

    tables = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    layers = {name: part for name, part in module.named_modules() if isinstance(part, nn.Linear | Conv1D)}
    return {name: layer for name, layer in layers.items() if id(layer.weight) not in tables}


def _ends(name: str, targets: Sequence[str]) -> bool:
    return any(name == target or name.endswith(f".{target}") for target in targets)
