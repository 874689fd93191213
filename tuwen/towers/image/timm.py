"""Any image encoder of timm (Wightman 2019, PyTorch image models, doi:10.5281/zenodo.4414861): VGG, EfficientNet, ...

An extra, because timm needs torchvision. The preprocessing comes from the checkpoint's data configuration. Where the
middle of a picture cannot be halved evenly, it may lie one pixel beside timm's own.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from tuwen.core.errors import CheckpointError, RecipeError
from tuwen.core.features import Features
from tuwen.layers.pretrained import PretrainedConfig, folder_of, opening
from tuwen.prep.pretrained import Brought
from tuwen.towers.image import ImageContext, ImageTower
from tuwen.towers.image._projected import Projected

Pool = Literal["own", "first", "mean"]

EXAMPLE = {"architecture": {"model": "test_vit", "img_size": 32}}
"""Settings to try the part with: one of `name` and `architecture` must be given."""

PACKAGE = "timm"
"""What must be installed for the part, and is an extra."""


class Config(PretrainedConfig):
    """Which checkpoint.

    name: a name of timm (`vgg16.tv_in1k`), a repository of the hub (`timm/vgg16.tv_in1k`), or a folder. revision: not
        for timm; a repository's is a part of its name (`timm/vgg16.tv_in1k@v1`).
    architecture: timm's name of the `model`, with the arguments that it is made with. It is taken from the checkpoint;
        given without a `name`, the model begins with random weights.
    pool: from the tokens to one vector: the model's `own` way, its `first` token (CLS), or the `mean` of the patches;
        where null, its own if that has the width of its tokens, else their mean.
    project: width of a linear map behind the encoder, for tokens and pooled vector alike; none where null.
    """

    pool: Pool | None = None
    project: int | None = Field(default=None, ge=1)


class TimmImageTower(ImageTower):
    """The encoder of a checkpoint. Its patches, in reading order, are the tokens; special tokens are left out."""

    def __init__(self, encoder: Any, pool: Pool | None, size: int, name: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.first = getattr(encoder, "num_prefix_tokens", 0)
        self.last = getattr(encoder, "output_fmt", None) == "NHWC"
        hidden, pooled = self._try(size, name)
        self.patches, self.width = hidden.shape[1] - self.first, hidden.shape[-1]
        if math.isqrt(self.patches) ** 2 != self.patches:
            raise CheckpointError(f"image tower timm: {name}: its {self.patches} tokens are no square grid of patches.")
        fits = pooled.shape[-1] == self.width
        self.pool: Pool = pool or ("own" if fits else "mean")
        if self.pool == "own" and not fits:
            widths = f"pools to {pooled.shape[-1]} numbers from tokens of {self.width}"
            raise CheckpointError(f"image tower timm: {name}: {widths}; set pool: mean.")
        if self.pool != "own":
            self._drop_what_is_not_run(size)

    def forward(self, pixels: Tensor) -> Features:
        grid = self.encoder.forward_features(pixels)
        hidden = self._tokens(grid)
        tokens = hidden[:, self.first :]
        if self.pool == "own":
            return Features(tokens, self.encoder.forward_head(grid, pre_logits=True))
        return Features(tokens, hidden[:, 0] if self.pool == "first" else tokens.mean(1))

    def _tokens(self, grid: Tensor) -> Tensor:
        """`[B, D, H, W]`, `[B, H, W, D]` or `[B, N, D]` → `[B, N, D]`."""
        if grid.ndim == 3:
            return grid
        return grid.flatten(1, 2) if self.last else grid.flatten(2).transpose(1, 2)

    @torch.no_grad()
    def _try(self, size: int, name: str) -> tuple[Tensor, Tensor]:
        training = self.encoder.training
        try:
            grid = self.encoder.eval().forward_features(torch.zeros(1, 3, size, size))
            return self._tokens(grid), self.encoder.forward_head(grid, pre_logits=True)
        except (AssertionError, RuntimeError, ValueError) as error:
            raise RecipeError(
                f"image tower timm: {name}: cannot read pictures of {size} × {size} pixels ({error}); set image.size "
                "to what it was trained with, or leave it out to have it taken from the checkpoint."
            ) from error
        finally:
            self.encoder.train(training)

    @torch.no_grad()
    def _drop_what_is_not_run(self, size: int) -> None:
        """A classifier's layers (of VGG, nine tenths of its weights) have no part in the tokens."""
        run: set[nn.Module] = set()
        hooks = [m.register_forward_hook(lambda module, *_: run.add(module)) for m in self.encoder.children()]
        training = self.encoder.training
        self.encoder.eval().forward_features(torch.zeros(1, 3, size, size))
        self.encoder.train(training)
        for hook in hooks:
            hook.remove()
        for name, child in list(self.encoder.named_children()):
            if child not in run and any(True for _ in child.parameters()):
                setattr(self.encoder, name, nn.Identity())


def brings(config: Config) -> Brought:
    """What the checkpoint decides for a recipe: its architecture, and how its pictures are prepared.

    Raises:
        CheckpointError: it cannot be read, or is no image encoder.
    """
    if config.name is None:
        return Brought(config)
    encoder = _open(config, None, pretrained=False)
    architecture = {"model": encoder.pretrained_cfg["architecture"]}
    return Brought(config.model_copy(update={"architecture": architecture}), image=_images(encoder, config.name))


def build(config: Config, context: ImageContext) -> ImageTower:
    encoder = _open(config, context.size, context.pretrained)
    tower = TimmImageTower(encoder, config.pool, context.size, config.name or "architecture")
    return tower if config.project is None else Projected(tower, config.project)


def _open(config: Config, size: int | None, pretrained: bool) -> Any:
    """The encoder without its classifier. size: of the pictures, where the encoder is for one size alone."""
    timm = _timm()
    known = dict(config.architecture or {})
    name = _address(config.name) if config.name is not None and (pretrained or not known) else known.pop("model", "")
    with opening(config.name or str(name)):
        fixed: dict[str, Any] = {}
        if size is not None and "img_size" not in known:
            plain = timm.create_model(name, pretrained=False, num_classes=0, **known)
            if plain.pretrained_cfg.get("fixed_input_size") and plain.pretrained_cfg["input_size"][-1] != size:
                fixed = {"img_size": size}
        wanted = pretrained and config.name is not None
        return timm.create_model(name, pretrained=wanted, num_classes=0, **known, **fixed)


def _address(name: str) -> str:
    """Where timm finds a checkpoint."""
    found = folder_of(name)
    if Path(found).is_dir():
        return f"local-dir:{found}"
    return f"hf-hub:{name}" if "/" in name else name


def _images(encoder: Any, name: str) -> dict[str, Any]:
    """The checkpoint's data configuration as settings of `ImageConfig`."""
    data = _timm().data.resolve_model_data_config(encoder)
    (channels, size, across), share = data["input_size"], data["crop_pct"]
    if channels != 3 or size != across or data["interpolation"] not in ("bilinear", "bicubic"):
        raise CheckpointError(
            f"image tower timm: {name}: pictures are prepared in a way that is not known here: {data}"
        )
    settings = {"size": size, "interpolation": data["interpolation"], "mean": data["mean"], "std": data["std"]}
    if data["crop_mode"] == "center":
        return {**settings, "resize": "crop", "shortest": math.floor(size / share)}
    if data["crop_mode"] == "squash" and share == 1:
        return {**settings, "resize": "squash"}
    raise CheckpointError(f"image tower timm: {name}: its pictures are cut in a way that is not known here: {data}")


def _timm() -> Any:
    try:
        import timm
    except ModuleNotFoundError as error:
        raise RecipeError(
            f"image tower timm: the package {error.name} is missing: pip install 'tuwen[timm]' (with the build of "
            "torchvision that fits that of PyTorch)."
        ) from error
    return timm
