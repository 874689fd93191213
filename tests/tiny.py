"""A whole system that is as small as can be: scenes, their tokenizer, and a random model with every part."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch

from tuwen.core.batch import Batch, Row
from tuwen.core.rooms import build_part
from tuwen.core.sample import Sample
from tuwen.models.config import ModelConfig, ModelContext
from tuwen.models.model import VisionLanguageModel
from tuwen.models.predictor import Predictor
from tuwen.objectives import ObjectiveContext
from tuwen.prep.batches import Encoded, collate
from tuwen.prep.images import ImageConfig, ImagePrep
from tuwen.prep.tokens import SPECIAL, Tokenizer, TokenizerConfig

SIZE = 32
"""Pixels a side of all pictures."""

IMAGES = ImagePrep(ImageConfig(size=SIZE))

MODEL: Mapping[str, Any] = {
    "image": {"kind": "vit", "width": 24, "depth": 1, "heads": 2, "patch": 8},
    "text": {"kind": "transformer", "width": 24, "depth": 1, "heads": 2},
    "fusion": {"kind": "cross_attention", "width": 24, "depth": 1, "heads": 2},
    "language": {"kind": "gpt", "width": 24, "depth": 2, "heads": 2},
    "prefix": {"merge": 2},
    "embedding": 16,
}
"""Settings of a model with every part, but without heads."""


@cache
def scenes() -> Mapping[str, list[Sample]]:
    """A few scenes of each split, with captions, questions, foils and labels in English and Chinese."""
    splits = build_part("data", {"kind": "scenes", "size": SIZE, "objects": [1, 2], "foils": 2})
    return {name: [source[number] for number in range(12)] for name, source in splits.items()}


@cache
def tokenizer() -> Tokenizer:
    """Trained on the captions of the scenes."""
    texts = [caption.text for sample in scenes()["train"] for caption in sample.captions]
    return Tokenizer.train(texts, TokenizerConfig(vocab_size=400, max_length=40))


def model(labels: int = 4, answers: int = 5, tags: int = 3, seed: int = 0, **changes: Any) -> VisionLanguageModel:
    """A random model, in evaluation mode. `changes` are settings beside or instead of those in `MODEL`."""
    torch.manual_seed(seed)
    context = ModelContext(
        image_size=SIZE,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        vocab_size=len(tokenizer()),
        max_length=tokenizer().max_length,
        classes={"labels": labels, "answers": answers, "tags": tags},
    )
    return VisionLanguageModel(ModelConfig(**{**MODEL, **changes}), context).eval()


def predictor(model: VisionLanguageModel, batch_size: int = 128) -> Predictor:
    """A model, ready to be asked."""
    return Predictor(model, tokenizer(), IMAGES, batch_size=batch_size)


def objective(spec: Mapping[str, Any]) -> Any:
    """An objective as a recipe builds it."""
    ids = tuple(range(len(SPECIAL)))
    return build_part("objectives", spec, ObjectiveContext(len(tokenizer()), tokenizer().mask, ids))


def batch(texts: list[list[str]], stream: str = "retrieve", target: list[int | None] | None = None) -> Batch:
    """The first scenes, each with some texts. target: the class of each picture."""
    samples = [
        Encoded(
            key=f"scene {number}",
            pixels=IMAGES(sample.image, sample.key, None) if sample.image is not None else None,
            rows={stream: [Row(tokenizer().read(text)) for text in own]},
            target=None if target is None else target[number],
        )
        for number, (sample, own) in enumerate(zip(scenes()["train"], texts, strict=False))
    ]
    return collate(samples, tokenizer().pad)
