"""Any vision encoder of Hugging Face Transformers (Wolf et al. 2020, arXiv:1910.03771), from the hub or a folder.

ResNet, ConvNeXt, ViT, DINOv2, Swin, ... and the picture half of CLIP and SigLIP. Its preprocessing comes along.
"""

from __future__ import annotations

import inspect
import math
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from tuwen.core.errors import CheckpointError, RecipeError
from tuwen.core.features import Features
from tuwen.layers.pretrained import PretrainedConfig, check_weights, open_half, read_architecture
from tuwen.prep.pretrained import Brought, image_settings
from tuwen.towers.image import ImageContext, ImageTower
from tuwen.towers.image._projected import Projected

Pool = Literal["own", "first", "mean"]

EXAMPLE = {
    "architecture": {
        "model_type": "vit",
        "hidden_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "image_size": 32,
        "patch_size": 8,
    }
}
"""Settings to try the part with: one of `name` and `architecture` must be given."""


class Config(PretrainedConfig):
    """Which checkpoint: see `PretrainedConfig`.

    name, revision, architecture: as there.
    pool: from the tokens to one vector: the model's `own` way, its `first` token (CLS), or the `mean` of the patches;
        where null, its own if the checkpoint has weights for it, else the first token.
    project: width of a linear map behind the encoder, for tokens and pooled vector alike; none where null.
    """

    pool: Pool | None = None
    project: int | None = Field(default=None, ge=1)


class HFImageTower(ImageTower):
    """The encoder of a checkpoint. Its patches, in reading order, are the tokens; special tokens are left out."""

    def __init__(self, encoder: nn.Module, pool: Pool, size: int, name: str) -> None:
        super().__init__()
        self.encoder, self.pool = encoder, pool
        self.how: dict[str, Any] = {}
        if "interpolate_pos_encoding" in inspect.signature(encoder.forward).parameters:
            self.how["interpolate_pos_encoding"] = size != getattr(encoder.config, "image_size", size)
        if pool != "own":
            for parameter in getattr(encoder, "pooler", nn.Module()).parameters():
                parameter.requires_grad_(False)  # nothing reads what it gives
        hidden, pooled = self._try(size, name)
        self.patches, self.width = _patches(encoder.config, hidden, size, name), hidden.shape[-1]
        if pool == "own" and (pooled is None or pooled.shape[-1] != self.width):
            raise CheckpointError(f"image tower hf: {name}: has no pooling that fits; set pool: first, or pool: mean.")

    def forward(self, pixels: Tensor) -> Features:
        hidden, pooled = self._run(pixels)
        tokens = hidden[:, -self.patches :]
        if self.pool == "own":
            assert pooled is not None
            return Features(tokens, pooled)
        return Features(tokens, hidden[:, 0] if self.pool == "first" else tokens.mean(1))

    def _run(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """The last hidden states `[B, specials + N, D]` and the model's own pooled output `[B, D]`."""
        found = self.encoder(pixel_values=pixels, **self.how)
        hidden, pooled = found.last_hidden_state, getattr(found, "pooler_output", None)
        if hidden.ndim == 4:
            hidden = hidden.flatten(2).transpose(1, 2)
        return hidden, None if pooled is None else pooled.flatten(1)

    @torch.no_grad()
    def _try(self, size: int, name: str) -> tuple[Tensor, Tensor | None]:
        was = self.encoder.training
        try:
            return self.eval()._run(torch.zeros(1, 3, size, size))
        except (ValueError, RuntimeError, TypeError) as error:
            raise RecipeError(
                f"image tower hf: {name}: cannot read pictures of {size} × {size} pixels ({error}); set image.size to "
                "what it was trained with, or leave it out to have it taken from the checkpoint."
            ) from error
        finally:
            self.train(was)


def brings(config: Config) -> Brought:
    """What the checkpoint decides for a recipe: its architecture, and how its pictures are prepared.

    Raises:
        CheckpointError: it cannot be read, or is no image encoder.
    """
    if config.name is None:
        return Brought(config)
    architecture = read_architecture(config.name, config.revision)
    encoder, prefix, missing = _open(config, pretrained=True, shapes_only=True)
    pool = config.pool or _default_pool(encoder, prefix, missing)
    complete = config.model_copy(update={"architecture": architecture, "pool": pool})
    return Brought(complete, image=image_settings(config.name, config.revision))


def build(config: Config, context: ImageContext) -> ImageTower:
    encoder, prefix, missing = _open(config, context.pretrained)
    pool = config.pool or _default_pool(encoder, prefix, missing)
    tower = HFImageTower(encoder, pool, context.size, config.name or "architecture")
    return tower if config.project is None else Projected(tower, config.project)


def _open(config: Config, pretrained: bool, shapes_only: bool = False) -> tuple[Any, str, frozenset[str]]:
    """The encoder, what its weights' names begin with in the whole model, and those that the checkpoint lacks."""
    encoder, name, prefix, missing = open_half(config, "vision_model", pretrained, shapes_only)
    if getattr(encoder, "main_input_name", "pixel_values") != "pixel_values":
        raise CheckpointError(
            f"image tower hf: {name}: a {type(encoder).__name__} reads no pictures; name an image encoder."
        )
    if getattr(encoder.config, "num_channels", 3) != 3:
        raise CheckpointError(
            f"image tower hf: {name}: reads pictures of {encoder.config.num_channels} channels, not 3."
        )
    check_weights(encoder, prefix, missing, name, but=("pooler.",))
    return encoder, prefix, missing


def _default_pool(encoder: nn.Module, prefix: str, missing: frozenset[str]) -> Pool:
    trained = not any(name.startswith(f"{prefix}pooler.") for name in missing)
    return "own" if trained else "first"


def _patches(config: Any, hidden: Tensor, size: int, name: str) -> int:
    """How many of the tokens are patches of a square grid; special tokens stand before them."""
    length = hidden.shape[1]
    patch = getattr(config, "patch_size", None)
    if isinstance(patch, int) and (size // patch) ** 2 <= length:
        return (size // patch) ** 2
    if math.isqrt(length) ** 2 == length:
        return length
    raise CheckpointError(f"image tower hf: {name}: its {length} tokens are no square grid of patches.")
