"""What a model consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from tuwen.core.rooms import PartConfig, PartOf, PartSpec
from tuwen.models.lora import LoraConfig


class HeadConfig(PartConfig):
    """A classifier on top of features.

    reads: which features. classes: how many, or what says so: the `labels`, `answers` or `tags` of the training data,
        or the tokenizer's `vocabulary`.
    hidden: width of a hidden layer, or none. dropout: on what it reads, in training.
    """

    reads: Literal["image", "text", "fused"]
    classes: Literal["labels", "answers", "tags", "vocabulary"] | PositiveInt
    hidden: int | None = Field(default=None, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class PrefixConfig(PartConfig):
    """How a picture becomes embeddings that a language model reads as if they were words.

    merge: so many patches a side are joined into one token (the reverse of pixel shuffle, Shi et al. 2016, 1609.05158).
    tokens: how many there are. Learned queries that read the patches; 0 for one token a (merged) patch.
    pooled: whether the picture's pooled vector stands before them, as one more token.
    source: what is read. `pooled` maps the pooled vector to all `tokens` at once, as the paper does (it has 2).
    space: `free` for any embeddings; `words` for mixtures of the embeddings of the language model's own words, which
        a frozen one understands in context, too.
    """

    merge: int = Field(default=1, ge=1)
    tokens: int = Field(default=0, ge=0)
    pooled: bool = False
    source: Literal["patches", "pooled"] = "patches"
    space: Literal["free", "words"] = "free"

    @model_validator(mode="after")
    def _fits_its_source(self) -> PrefixConfig:
        if self.source == "pooled" and (not self.tokens or self.merge > 1 or self.pooled):
            raise ValueError("from source: pooled come `tokens` (at least 1), and no patches to merge or to add to")
        return self


def _without_null(named: Any) -> Any:
    """Null takes out what the extended recipe has."""
    return {name: part for name, part in named.items() if part is not None} if isinstance(named, dict) else named


class ModelConfig(PartConfig):
    """The parts that a model has; those left out it has not.

    embedding: width of the space in which pictures and texts are compared; needs both towers.
    temperature: where the learned temperature of that comparison begins.
    prefix: what the language model reads of a picture.
    heads: classifiers by name; null takes one out that the extended recipe has.
    uncertainties: names of losses whose weights are learned, by an objective that says so (`joint`).
    freeze: parts that do not learn: `image`, `text`, `fusion`, `language`, `prefix`, `embedding`, `heads.NAME`. They
        compute as in use, without dropout, and their bytes stay as they are.
    lora: for a part, adapters that learn in its place.
    """

    image: Annotated[PartSpec, PartOf("towers.image")] | None = None
    text: Annotated[PartSpec, PartOf("towers.text")] | None = None
    fusion: Annotated[PartSpec, PartOf("fusion")] | None = None
    language: Annotated[PartSpec, PartOf("language")] | None = None
    embedding: int | None = Field(default=None, ge=1)
    temperature: float = Field(default=0.07, gt=0)
    prefix: PrefixConfig = PrefixConfig()
    heads: Annotated[dict[str, HeadConfig], BeforeValidator(_without_null)] = {}
    uncertainties: tuple[str, ...] = ()
    freeze: tuple[str, ...] = ()
    lora: Annotated[dict[str, LoraConfig], BeforeValidator(_without_null)] = {}


@dataclass(frozen=True, slots=True)
class ModelContext:
    """What the run's data, preprocessing and tokenizer ask of a model.

    image_size: pixels a side; mean, std: of the three channels, in 0..1.
    vocab_size: of the tokenizer. max_length: tokens of a text.
    classes: how many labels, answers and tags the training data has, by these names.
    pretrained: whether parts that name a checkpoint begin with its weights; not where they are given others.
    """

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    vocab_size: int
    max_length: int
    classes: dict[str, int]
    pretrained: bool = True
