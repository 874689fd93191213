"""`VisionLanguageModel`: an image tower, a text tower, a fusion, a language model and heads, each optional."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from tuwen.core.batch import Batch
from tuwen.core.errors import RecipeError
from tuwen.core.features import Features
from tuwen.core.rooms import build_part
from tuwen.fusion import Fusion, FusionContext
from tuwen.language import LanguageContext, LanguageModel
from tuwen.models.config import HeadConfig, ModelConfig, ModelContext
from tuwen.models.forward import Forward
from tuwen.models.lora import add_adapters
from tuwen.models.parts import SCALES, chosen, freeze, parts_of, refuse_coarse
from tuwen.models.prefix import Prefix, build_prefix, prefix_length
from tuwen.towers.image import ImageContext, ImageTower
from tuwen.towers.text import TextContext, TextTower

MAX_LOGIT_SCALE = math.log(100)
"""The temperature does not fall below 1/100 (Radford et al. 2021, CLIP, section 2.5)."""

ABSENT = {
    "image_tower": "image tower: name one under model.image",
    "text_tower": "text tower: name one under model.text",
    "fusion": "fusion: name one under model.fusion",
    "language": "language model: name one under model.language",
    "prefix": "way for its language model to see: name an image tower under model.image",
    "image_projection": "space to compare pictures and texts in: set model.embedding",
    "text_projection": "space to compare pictures and texts in: set model.embedding",
    "logit_scale": "space to compare pictures and texts in: set model.embedding",
    "logit_bias": "space to compare pictures and texts in: set model.embedding",
}
"""What to say of a part that a model has not."""


class VisionLanguageModel(nn.Module):
    """Parts by name. A part that the recipe leaves out is None, and what needs it says so."""

    image_tower: ImageTower | None
    text_tower: TextTower | None
    fusion: Fusion | None
    language: LanguageModel | None
    prefix: Prefix | None
    image_projection: nn.Linear | None
    text_projection: nn.Linear | None
    logit_scale: nn.Parameter | None
    logit_bias: nn.Parameter | None
    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, context: ModelContext) -> None:
        super().__init__()
        if config.image is None and config.text is None and config.language is None:
            raise RecipeError("model: names no part; give it at least one of image, text and language.")
        self.config = config
        self.register_buffer("mean", torch.tensor(context.mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(context.std).view(1, 3, 1, 1) * 255, persistent=False)
        text = TextContext(context.vocab_size, context.max_length, context.pretrained)
        self.image_tower = _part(
            "towers.image", config.image, ImageContext(context.image_size, context.pretrained), "model.image"
        )
        self.text_tower = _part("towers.text", config.text, text, "model.text")
        self.fusion = self._build_fusion(config)
        self._build_language(config, context)
        self._build_embedding(config)
        self.heads = nn.ModuleDict({name: self._build_head(name, head, context) for name, head in config.heads.items()})
        self.log_variances = nn.ParameterDict({name: torch.zeros(()) for name in config.uncertainties})
        self._frozen = self._choose_what_learns(config)

    def train(self, mode: bool = True) -> Self:
        """Training mode, but for frozen parts: what does not learn computes as it will in use."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def forward(self, batch: Batch) -> Forward:
        """The forward pass of one batch; it computes what it is asked for, once."""
        if self.training and self.logit_scale is not None:
            with torch.no_grad():  # the weight itself: a clamp in the loss would have no gradient to come back by
                self.logit_scale.clamp_(max=MAX_LOGIT_SCALE)
        return Forward(self, batch)

    def normalise(self, pixels: Tensor) -> Tensor:
        """uint8 `[P, S, S, 3]` → normalised `[P, 3, S, S]`, channels last in memory."""
        rows = pixels.to(self.mean.dtype).flatten(2)  # PyTorch is slow where rows have but three numbers
        mean, std = (each.flatten().repeat(pixels.shape[2]) for each in (self.mean, self.std))
        return (rows - mean).div_(std).view_as(pixels).permute(0, 3, 1, 2)

    def require(self, part: str) -> Any:
        """A part by the name of its attribute.

        Raises:
            RecipeError: the model was built without it.
        """
        found = getattr(self, part)
        if found is None:
            raise RecipeError(f"this model has no {ABSENT[part]}.")
        return found

    @property
    def reads_patches(self) -> bool:
        """Whether any part reads a picture's tokens, and not only its pooled vector."""
        return self.fusion is not None or self.prefix is not None

    def seen(self, image: Features) -> Tensor:
        """Pictures as the language model reads them: features → `[P, prefix, D]`."""
        prefix: Prefix = self.require("prefix")
        return prefix(image, self.require("language"))

    def reads(self, head: str) -> Literal["image", "text", "fused"]:
        """Which features a head reads."""
        self.head(head)
        return self.config.heads[head].reads

    def head(self, name: str) -> nn.Module:
        """A head by name, `[..., D]` → `[..., C]`.

        Raises:
            RecipeError: the model was built without it.
        """
        if name not in self.heads:
            there = ", ".join(self.heads) or "none"
            raise RecipeError(f"this model has no head {name!r} (its heads: {there}): add it under model.heads.")
        return self.heads[name]

    def _choose_what_learns(self, config: ModelConfig) -> tuple[nn.Module, ...]:
        parts = parts_of(self)
        frozen = chosen(parts, config.freeze, "model.freeze")
        refuse_coarse({name: modules for name, modules in parts.items() if name not in frozen})
        for name, modules in chosen(parts, config.lora, "model.lora").items():
            if name in frozen:
                raise RecipeError(
                    f"model.freeze: {name} has adapters under model.lora, which learn; take one of them out."
                )
            add_adapters(modules, config.lora[name], f"model.lora.{name}")
        modules = tuple(module for part in frozen.values() for module in part)
        freeze(modules)
        for module in modules:
            module.eval()
        for name in SCALES if "embedding" in frozen else ():
            if (scale := getattr(self, name)) is not None:
                scale.requires_grad_(False)
        return modules

    def log_variance(self, name: str) -> Tensor:
        """`log σ²` of a loss whose weight is learned, a scalar.

        Raises:
            RecipeError: the model was built without it.
        """
        if name not in self.log_variances:
            there = ", ".join(self.log_variances) or "none"
            raise RecipeError(
                f"this model has no learned weight for the loss {name!r} (it has: {there}): "
                "name it under model.uncertainties."
            )
        return self.log_variances[name]

    def _build_fusion(self, config: ModelConfig) -> Fusion | None:
        if config.fusion is None:
            return None
        if self.image_tower is None or self.text_tower is None:
            raise RecipeError("model.fusion: joins an image tower and a text tower; name both, or leave it out.")
        widths = FusionContext(self.image_tower.width, self.text_tower.width)
        return _part("fusion", config.fusion, widths, "model.fusion")

    def _build_language(self, config: ModelConfig, context: ModelContext) -> None:
        self.language = self.prefix = None
        if config.language is None:
            return
        tower = self.image_tower
        length = 2 * context.max_length + (0 if tower is None else prefix_length(config.prefix, tower))
        wanted = LanguageContext(context.vocab_size, length, context.pretrained)
        self.language = _part("language", config.language, wanted, "model.language")
        if tower is not None:
            self.prefix = build_prefix(config.prefix, tower, self.language.width)

    def _build_embedding(self, config: ModelConfig) -> None:
        self.image_projection = self.text_projection = self.logit_scale = self.logit_bias = None
        if config.embedding is None:
            return
        if self.image_tower is None or self.text_tower is None:
            raise RecipeError("model.embedding: compares pictures with texts; name an image and a text tower too.")
        self.image_projection = nn.Linear(self.image_tower.width, config.embedding, bias=False)
        self.text_projection = nn.Linear(self.text_tower.width, config.embedding, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(-math.log(config.temperature)))
        self.logit_bias = nn.Parameter(torch.tensor(-10.0))

    def _build_head(self, name: str, head: HeadConfig, context: ModelContext) -> nn.Module:
        source = {"image": "image_tower", "text": "text_tower", "fused": "fusion"}[head.reads]
        if getattr(self, source) is None:
            raise RecipeError(f"model.heads.{name}: reads {head.reads!r}, but the model has no {source}.")
        sizes = {**context.classes, "vocabulary": context.vocab_size}
        classes = head.classes if isinstance(head.classes, int) else sizes.get(head.classes, 0)
        if classes < 1:
            raise RecipeError(f"model.heads.{name}: the training data has no {head.classes}, so there is no class.")
        width = self.require(source).width
        layers: list[nn.Module] = [nn.Dropout(head.dropout)] if head.dropout else []
        if head.hidden is not None:
            layers += [nn.Linear(width, head.hidden), nn.GELU()]
            width = head.hidden
        return nn.Sequential(*layers, nn.Linear(width, classes))


def _part(room: str, spec: dict[str, Any] | None, context: object, where: str) -> Any:
    return None if spec is None else build_part(room, spec, context, where)
