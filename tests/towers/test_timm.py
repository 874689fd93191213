"""Image encoders of timm, with the preprocessing that their files name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tuwen.core.errors import CheckpointError
from tuwen.core.rooms import build_part, find_part
from tuwen.prep.images import ImageConfig, ImagePrep
from tuwen.prep.pretrained import Brought, normalised
from tuwen.towers.image import ImageContext, ImageTower

timm = pytest.importorskip("timm", reason="timm is an extra (it needs torchvision); pip install 'tuwen[timm]'")

FAMILIES = ("test_vit", "test_resnet", "test_convnext", "test_efficientnet", "test_byobnet")
"""timm's own tiny models."""


@pytest.fixture(scope="module", params=FAMILIES)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights in a folder, as the hub has them."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(request.param)
    timm.models.save_for_hf(timm.create_model(request.param, num_classes=5), folder, safe_serialization=True)
    return folder


def theirs(folder: Path) -> Any:
    return timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()


def brought(folder: Path) -> Brought:
    part = find_part("towers.image", "timm")
    return part.brings(part.Config(name=str(folder)))


def tower(folder: Path, size: int, **settings: Any) -> ImageTower:
    return build_part("towers.image", {"kind": "timm", "name": str(folder), **settings}, ImageContext(size)).eval()


@torch.no_grad()
def test_outputs_are_those_of_timm(checkpoint: Path) -> None:
    model, size = theirs(checkpoint), brought(checkpoint).image["size"]
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    found, hidden = tower(checkpoint, size)(pixels), model.forward_features(pixels)
    if hidden.ndim == 4:
        hidden = hidden.flatten(2).transpose(1, 2)
    before = getattr(model, "num_prefix_tokens", 0)
    torch.testing.assert_close(found.tokens, hidden[:, before:], atol=1e-5, rtol=1e-5)
    pooled = model(pixels)
    wanted = pooled if pooled.shape[-1] == hidden.shape[-1] else hidden[:, before:].mean(1)
    torch.testing.assert_close(found.pooled, wanted, atol=1e-5, rtol=1e-5)


def test_pictures_are_prepared_as_timm_does(checkpoint: Path) -> None:
    """To within 3 of 255, and a pixel's shift where the middle cannot be halved."""
    config = ImageConfig(**brought(checkpoint).image)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(theirs(checkpoint)))
    coarse = np.random.default_rng(3).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((93 * config.size // 32, 2 * config.size), Image.Resampling.BICUBIC)
    deviation = np.array(config.std)[:, None, None] * 255
    wanted = transform(picture).numpy() * deviation
    found = normalised(ImagePrep(config)(np.array(picture), "a picture", None), config) * deviation
    shifts = [np.roll(wanted, (down, across), (1, 2)) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    assert min(np.abs(found - shifted)[:, 1:-1, 1:-1].max() for shifted in shifts) <= 3


def test_it_is_built_again_without_its_files(checkpoint: Path) -> None:
    complete = {"kind": "timm", **brought(checkpoint).config.model_dump(mode="json"), "name": "/gone/away"}
    size = brought(checkpoint).image["size"]
    again = build_part("towers.image", complete, ImageContext(size, pretrained=False)).eval()
    first = tower(checkpoint, size)
    again.load_state_dict(first.state_dict())
    pixels = torch.randn(1, 3, size, size)
    assert torch.equal(again(pixels).pooled, first(pixels).pooled)


def test_pictures_of_another_size(checkpoint: Path) -> None:
    size = brought(checkpoint).image["size"] // 2
    found = tower(checkpoint, size)
    assert found(torch.randn(1, 3, size, size)).tokens.shape[1] == found.patches


def test_a_classifiers_layers_are_left_out() -> None:
    """VGG-16 has 138 million weights, and 15 million of them make its last grid."""
    with torch.device("meta"):
        whole = sum(p.numel() for p in timm.create_model("vgg11", num_classes=0).parameters())
    found = build_part("towers.image", {"kind": "timm", "architecture": {"model": "vgg11"}}, ImageContext(32))
    assert found.width == 512
    assert sum(p.numel() for p in found.parameters()) < whole / 10
    features = found(torch.randn(1, 3, 32, 32))
    torch.testing.assert_close(features.pooled, features.tokens.mean(1))


def test_an_unknown_name_is_said() -> None:
    with pytest.raises(CheckpointError, match="no_such_model"):
        build_part("towers.image", {"kind": "timm", "architecture": {"model": "no_such_model"}}, ImageContext(32))
