"""Image encoders of Transformers: what the tower gives is what Transformers gives, from the checkpoint's own files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests import checkpoints
from tuwen.core.errors import CheckpointError, RecipeError, TuwenError
from tuwen.core.rooms import build_part, find_part
from tuwen.layers.pretrained import opening
from tuwen.prep.images import ImageConfig, ImagePrep
from tuwen.prep.pretrained import Brought, image_settings, normalised
from tuwen.towers.image import ImageContext, ImageTower

SIZE = checkpoints.SIZE
EXACT = {"atol": 1e-5, "rtol": 1e-5}
FAMILIES = {name: getattr(checkpoints, name) for name in ("resnet", "convnext", "vit", "dinov2", "clip", "siglip")}
SPECIALS = {"resnet": 0, "convnext": 0, "vit": 1, "dinov2": 5, "clip": 1, "siglip": 0}
"""Tokens before the patches."""


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    return request.param, FAMILIES[request.param](tmp_path_factory.mktemp(request.param))


def brought(folder: Path, **settings: Any) -> Brought:
    part = find_part("towers.image", "hf")
    return part.brings(part.Config(name=str(folder), **settings))


def tower(folder: Path, size: int = SIZE, **settings: Any) -> ImageTower:
    return build_part("towers.image", {"kind": "hf", "name": str(folder), **settings}, ImageContext(size)).eval()


def theirs(folder: Path) -> Any:
    """The same encoder as Transformers loads it."""
    from transformers import AutoModel

    with opening("the test"):
        model = AutoModel.from_pretrained(folder).eval()
    return getattr(model, "vision_model", model)


def picture() -> Image.Image:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (6, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((93, 61), Image.Resampling.BICUBIC)


def test_outputs_are_those_of_transformers(family: tuple[str, Path]) -> None:
    name, folder = family
    pixels = torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features, wanted = tower(folder)(pixels), theirs(folder)(pixel_values=pixels)
    hidden = wanted.last_hidden_state
    hidden = hidden.flatten(2).transpose(1, 2) if hidden.ndim == 4 else hidden[:, SPECIALS[name] :]
    torch.testing.assert_close(features.tokens, hidden, **EXACT)
    torch.testing.assert_close(features.pooled, wanted.pooler_output.flatten(1), **EXACT)


def test_a_picture_is_prepared_as_the_checkpoints_processor_prepares_it(family: tuple[str, Path]) -> None:
    """To within 3 of 255: resampling rounds differently. The same for the picture's file and for its pixels."""
    from transformers import AutoImageProcessor

    _, folder = family
    config = ImageConfig(**brought(folder).image)
    wanted = AutoImageProcessor.from_pretrained(folder, backend="pil")(picture(), return_tensors="np")["pixel_values"]
    found = normalised(ImagePrep(config)(np.array(picture()), "a picture", None), config)
    off = np.abs(found - wanted[0]) * np.array(config.std)[:, None, None] * 255
    assert off.max() <= 3
    assert off.mean() < 0.6


def test_a_file_is_prepared_as_its_pixels_are(family: tuple[str, Path], tmp_path: Path) -> None:
    prepare = ImagePrep(ImageConfig(**brought(family[1]).image))
    picture().save(tmp_path / "a.png")
    found = prepare(tmp_path / "a.png", "a", None)
    assert np.array_equal(found, prepare(np.array(picture()), "a", None))
    assert np.array_equal(prepare(found, "again", None), found), "prepared twice, it must stay as it is"


def test_it_is_built_again_without_its_files(family: tuple[str, Path]) -> None:
    """From the architecture in its settings, and with weights that come from elsewhere."""
    _, folder = family
    complete = {"kind": "hf", **brought(folder).config.model_dump(mode="json"), "name": "/gone/elsewhere"}
    again = build_part("towers.image", complete, ImageContext(SIZE, pretrained=False)).eval()
    first = tower(folder)
    again.load_state_dict(first.state_dict())
    pixels = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    assert torch.equal(again(pixels).pooled, first(pixels).pooled)
    assert "id2label" not in complete["architecture"]


def test_a_classifiers_random_pooler_is_not_used(tmp_path: Path) -> None:
    from transformers import AutoModelForImageClassification

    checkpoints.vit(tmp_path, AutoModelForImageClassification)
    found = tower(tmp_path)
    assert brought(tmp_path).config.model_dump()["pool"] == "first"
    pixels = torch.randn(2, 3, SIZE, SIZE)
    torch.testing.assert_close(
        found(pixels).pooled, theirs(tmp_path)(pixel_values=pixels).last_hidden_state[:, 0], **EXACT
    )
    found(pixels).pooled.sum().backward()
    idle = {name for name, parameter in found.named_parameters() if parameter.requires_grad and parameter.grad is None}
    assert not idle


def test_patches_can_be_averaged(tmp_path: Path) -> None:
    found = tower(checkpoints.vit(tmp_path), pool="mean")(torch.randn(2, 3, SIZE, SIZE))
    torch.testing.assert_close(found.pooled, found.tokens.mean(1), **EXACT)


@pytest.mark.parametrize("family_name", ["vit", "dinov2", "resnet"])
def test_pictures_of_another_size_are_read_where_the_encoder_can(family_name: str, tmp_path: Path) -> None:
    found = tower(FAMILIES[family_name](tmp_path), size=48)
    features = found(torch.randn(1, 3, 48, 48))
    assert features.tokens.shape[1] == found.patches
    assert found.patches > tower(tmp_path).patches


def other_weights(folder: Path) -> None:
    """Weights of one family beside the configuration of another."""
    checkpoints.resnet(folder)
    weights = (folder / "model.safetensors").read_bytes()
    checkpoints.vit(folder)
    (folder / "model.safetensors").write_bytes(weights)


def half_a_file(folder: Path) -> None:
    checkpoints.vit(folder)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])


def no_weights(folder: Path) -> None:
    checkpoints.vit(folder)
    (folder / "model.safetensors").unlink()


def odd_processor(folder: Path) -> None:
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    checkpoints.vit(folder)
    ViTImageProcessorPil(size={"height": SIZE, "width": SIZE}, resample=1).save_pretrained(folder)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (checkpoints.bert, "a BertModel reads no pictures"),
        (checkpoints.gpt2, "a GPT2Model reads no pictures"),
        (lambda folder: folder.rmdir(), "there is no such folder"),
        (lambda folder: None, "cannot be read as a checkpoint"),
        (lambda folder: (folder / "config.json").write_text("{}"), "cannot be read as a checkpoint"),
        (other_weights, "has no weights for .* do not belong together"),
        (half_a_file, "cannot be read as a checkpoint"),
        (no_weights, "cannot be read as a checkpoint"),
        (odd_processor, "prepared in a way that is not known here.*filter 1"),
        (lambda folder: checkpoints.vit(folder, num_channels=1), "pictures of 1 channels"),
    ],
    ids=["bert", "gpt2", "no folder", "empty", "no config", "weights", "half", "none", "processor", "grey"],
)
def test_what_does_not_fit_is_said(make: Callable[[Path], Any], said: str, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    make(folder)
    with pytest.raises(TuwenError, match=said) as caught:
        brought(folder)
    assert str(folder) in str(caught.value)


def test_a_size_that_cannot_be_is_said(tmp_path: Path) -> None:
    checkpoints.vit(tmp_path)
    with pytest.raises(RecipeError, match="cannot read pictures of 4 × 4"):
        tower(tmp_path, size=4)


def test_a_file_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(CheckpointError, match="is a file"):
        brought(tmp_path / "a")


def test_one_of_name_and_architecture_is_needed() -> None:
    with pytest.raises(RecipeError, match="say which checkpoint with `name"):
        build_part("towers.image", {"kind": "hf"}, ImageContext(SIZE))


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"do_normalize": False}, {"mean": (0.0,) * 3, "std": (1.0,) * 3}),
        ({"do_rescale": False}, {"mean": (0.5 / 255,) * 3, "std": (0.5 / 255,) * 3}),
        ({"rescale_factor": 1 / 127.5}, {"mean": (0.25,) * 3, "std": (0.25,) * 3}),
    ],
)
def test_scales_become_a_mean_and_a_deviation(settings: Any, wanted: Any, tmp_path: Path) -> None:
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    ViTImageProcessorPil(size={"height": SIZE, "width": SIZE}, **settings).save_pretrained(tmp_path)
    found = image_settings(str(tmp_path), None)
    assert found["mean"] == pytest.approx(wanted["mean"])
    assert found["std"] == pytest.approx(wanted["std"])


def test_a_linear_map_may_stand_behind_it(tmp_path: Path) -> None:
    found, plain = tower(checkpoints.vit(tmp_path), project=10), tower(tmp_path)
    pixels = torch.randn(2, 3, SIZE, SIZE)
    features = found(pixels)
    assert (found.width, found.patches) == (10, plain.patches)
    torch.testing.assert_close(features.pooled, found.project(plain(pixels).pooled), **EXACT)
    torch.testing.assert_close(features.tokens, found.project(plain(pixels).tokens), **EXACT)
