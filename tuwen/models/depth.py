"""How deep in a network a weight lies: what is near its input is general, and should change least in fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn


def depths(module: nn.Module) -> dict[str, int]:
    """For each parameter of a network, by name, how many of its layers lie above it.

    A layer is what stands in the outermost lists of modules: a Transformer's block, a stage of a convolutional network.
    Where there are no lists, what stands in sequences is. What comes before the first (embeddings, a stem) lies below
    it; what follows one (a last norm) lies in it. The order is that in which the network was put together, but for
    parameters of its own, which come first, unless it says by `late` that they are used behind its layers.
    """
    found: dict[str, int] = {}
    layers = list(_layers(module, "", nn.ModuleList)) or list(_layers(module, "", nn.Sequential))
    late: tuple[str, ...] = getattr(module, "late", ())
    seen: set[str] = set()
    for name, _ in module.named_parameters():
        seen |= {layer for layer in layers if name.startswith(layer)}
        found[name] = len(seen)
    return {name: 0 if name in late else len(seen) - layer for name, layer in found.items()}


def _layers(module: nn.Module, path: str, kind: type[nn.Module]) -> Iterator[str]:
    """What the names of each layer's parameters begin with."""
    for name, child in module.named_children():
        if isinstance(child, kind):
            yield from (f"{path}{name}.{layer}." for layer, _ in child.named_children())
        else:
            yield from _layers(child, f"{path}{name}.", kind)
