"""A model with any of its parts, and clear words where one is missing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests import tiny
from tuwen.core.batch import Batch
from tuwen.core.errors import RecipeError
from tuwen.core.rooms import validate
from tuwen.models.config import ModelConfig
from tuwen.models.forward import Forward

NONE: dict[str, Any] = dict.fromkeys(["image", "text", "fusion", "language", "embedding"])
IMAGE, TEXT, LANGUAGE, FUSION = (tiny.MODEL[name] for name in ("image", "text", "language", "fusion"))


def test_pixels_are_normalised_channel_by_channel() -> None:
    model = tiny.model()
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    wanted = (pixels.numpy().astype(np.float64) / 255 - 0.5) / 0.5
    found = model.normalise(pixels)
    assert found.shape == (2, 3, 32, 32)
    assert found.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(found.permute(0, 2, 3, 1).numpy(), wanted, atol=1e-6)


def test_the_state_holds_weights_alone() -> None:
    model = tiny.model(heads={"match": {"reads": "fused", "classes": 2}})
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()} | tied(model)


def tied(model: torch.nn.Module) -> set[str]:
    """Names of weights that share memory with one that is named before."""
    return set(model.state_dict()) - {name for name, _ in model.named_parameters()}


def test_weights_that_are_saved_give_the_same_model() -> None:
    heads = {"match": {"reads": "fused", "classes": 2, "hidden": 4}}
    first, second = tiny.model(heads=heads, seed=0), tiny.model(heads=heads, seed=1)
    batch = tiny.batch([["a", "b"], ["c", "d"]])
    assert not torch.equal(first(batch).logits("match", "retrieve"), second(batch).logits("match", "retrieve"))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(batch).logits("match", "retrieve"), second(batch).logits("match", "retrieve"))
    assert torch.equal(first(batch).similarity("retrieve"), second(batch).similarity("retrieve"))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "names no part"),
        ({"image": IMAGE, "fusion": FUSION}, "model.fusion: joins an image tower and a text tower"),
        ({"text": TEXT, "embedding": 8}, "model.embedding: compares pictures with texts"),
        ({"image": IMAGE, "heads": {"mood": {"reads": "text", "classes": 2}}}, "model.heads.mood: reads 'text', but"),
        ({"image": IMAGE, "heads": {"x": {"reads": "fused", "classes": 2}}}, "model.heads.x: reads 'fused', but"),
        ({"image": IMAGE, "language": LANGUAGE, "prefix": {"merge": 3}}, "merge: 3 does not divide .* 16 patches"),
        ({"image": {**IMAGE, "heads": 5}}, "heads 5 does not divide width 24"),
        ({"image": {**IMAGE, "patch": 5}}, "patch 5 does not divide the picture size 32"),
        (
            {"image": {**IMAGE, "patch": 4, "stem": [8, 8, 8]}},
            "3 stem layers halve the picture more often than patch 4",
        ),
        ({"image": {"kind": "cnn", "channels": [8, 8], "blocks": [1]}}, "one number for each stage"),
        ({"image": {"kind": "cnn", "stem": 3}}, "its stride 12 does not divide the picture size 32"),
        ({"text": {**TEXT, "heads": 5}}, "heads 5 does not divide width 24"),
        ({"language": {**LANGUAGE, "heads": 5}}, "heads 5 does not divide width 24"),
        ({"image": IMAGE, "text": TEXT, "fusion": {**FUSION, "heads": 5}}, "heads 5 does not divide width 24"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        tiny.model(**{**NONE, **parts})


def test_a_head_without_a_class_is_refused() -> None:
    heads = {"label": {"reads": "image", "classes": "labels"}}
    with pytest.raises(RecipeError, match=r"model.heads.label: the training data has no labels"):
        tiny.model(labels=0, heads=heads)


@pytest.mark.parametrize("classes", [0, -1, "lables"])
def test_a_wrong_number_of_classes_is_a_fault_in_the_recipe(classes: object) -> None:
    settings = {"image": IMAGE, "heads": {"label": {"reads": "image", "classes": classes}}}
    with pytest.raises(RecipeError, match=r"model.heads.label.classes"):
        validate(ModelConfig, settings, "model")


@pytest.mark.parametrize(
    ("without", "ask", "message"),
    [
        ("image", lambda forward: forward.image, "no image tower: name one under model.image"),
        ("text", lambda forward: forward.text("retrieve"), "no text tower: name one under model.text"),
        ("fusion", lambda forward: forward.fused("retrieve"), "no fusion: name one under model.fusion"),
        (
            "embedding",
            lambda forward: forward.similarity("retrieve"),
            "no space to compare pictures and texts in: set model.embedding",
        ),
        ("embedding", lambda forward: forward.scale, "no space to compare pictures and texts in: set model.embedding"),
        (
            "language",
            lambda forward: forward.predictions("retrieve"),
            "no language model: name one under model.language",
        ),
    ],
)
def test_a_model_without_a_part_says_which_and_how_to_get_it(
    without: str, ask: Callable[[Forward], object], message: str
) -> None:
    changes: dict[str, Any] = {without: None}
    if without in ("image", "text"):
        changes |= {"fusion": None, "embedding": None}
    forward = tiny.model(**changes)(tiny.batch([["a"]]))
    with pytest.raises(RecipeError, match=f"this model has {message}"):
        ask(forward)


def test_a_language_model_without_an_image_tower_cannot_see() -> None:
    model = tiny.model(**{**NONE, "language": LANGUAGE})
    batch = tiny.batch([["a b"]])
    text = batch.texts["retrieve"]
    mask = text.attention_mask & (torch.arange(text.ids.shape[1]) > 0)
    told = {"retrieve": type(text)(text.ids, text.segments, text.image, mask)}
    with pytest.raises(RecipeError, match="no image tower: name one under model.image"):
        model(Batch(batch.pixels, told)).predictions("retrieve")
    assert model(Batch(None, told)).predictions("retrieve").logits.isfinite().all()


def test_a_part_alone_is_a_model() -> None:
    assert tiny.model(**{**NONE, "image": IMAGE})(tiny.batch([["a"]])).image.pooled.shape == (1, 24)
    assert tiny.model(**{**NONE, "text": TEXT})(tiny.batch([["a"]])).text("retrieve").pooled.shape == (1, 24)
