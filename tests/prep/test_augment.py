"""Second views and turned pictures, by hand."""

from typing import Any

import numpy as np
import pytest

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import validate
from tuwen.prep.augment import GREY, ViewConfig, alter, rotated
from tuwen.prep.images import ImageConfig, ImagePrep

WHITE = (255, 255, 255)
RNG = np.random.default_rng


def noise(size: int = 16, seed: int = 0) -> np.ndarray:
    return RNG(seed).integers(60, 190, (size, size, 3), dtype=np.uint8)


def brightness(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(float) @ GREY


def altered(pixels: np.ndarray, seed: int = 0, **settings: Any) -> np.ndarray:
    return alter(pixels, ViewConfig(**settings), RNG(seed), WHITE)


def test_nothing_asked_nothing_changed() -> None:
    assert np.array_equal(altered(noise()), noise())


def test_a_picture_is_turned_anticlockwise() -> None:
    assert np.array_equal(rotated(noise(), 90, WHITE), np.rot90(noise()))
    assert rotated(noise(), 45, (1, 2, 3))[0, 0].tolist() == [1, 2, 3]
    assert np.array_equal(rotated(noise(), 0, WHITE), noise())


def test_every_other_view_is_mirrored() -> None:
    found = [altered(noise(), seed, flip=True) for seed in range(200)]
    mirrored = sum(np.array_equal(view, noise()[:, ::-1]) for view in found)
    assert all(np.array_equal(view, noise()) or np.array_equal(view, noise()[:, ::-1]) for view in found)
    assert 70 <= mirrored <= 130


def test_grey_has_no_colour_and_the_same_brightness() -> None:
    view = altered(noise(), grey=1.0)
    assert (view.max(-1) - view.min(-1)).max() <= 1
    np.testing.assert_allclose(brightness(view), brightness(noise()), atol=1)


@pytest.mark.parametrize("settings", [{"hue": 1.0}, {"saturation": 0.8}])
def test_hue_and_saturation_leave_brightness_alone(settings: dict[str, float]) -> None:
    middle = np.clip(noise(), 110, 140)
    view = altered(middle, **settings)
    assert np.abs(view.astype(int) - middle).max() > 3
    np.testing.assert_allclose(brightness(view), brightness(middle), atol=1.5)


def test_brightness_is_a_factor_and_contrast_keeps_the_mean() -> None:
    view = altered(noise(), brightness=0.3)
    factors = view.astype(float) / noise()
    assert factors.std() < 0.01
    assert 0.7 <= factors.mean() <= 1.3
    paler = altered(noise(), seed=3, contrast=0.9)
    assert brightness(paler).mean() == pytest.approx(brightness(noise()).mean(), abs=1)
    assert paler.std() != pytest.approx(noise().std(), rel=0.05)


def test_blur_takes_out_what_is_small() -> None:
    assert altered(noise(), blur=4.0).std() < 0.7 * noise().std()


def test_a_second_view_shows_a_part_of_the_picture() -> None:
    ramp = np.repeat(np.arange(0, 128, 2, dtype=np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    prep = ImagePrep(ImageConfig(size=32, augment="none", view=ViewConfig(scale=(0.2, 0.3), ratio=(1, 1))))
    views = [prep.view(ramp, "ramp", RNG(seed)) for seed in range(20)]
    for view in views:
        assert view is not None
        assert view.shape == (32, 32, 3)
        assert 126 * 0.4 < int(view.max()) - int(view.min()) < 126 * 0.6
    assert len({view.tobytes() for view in views if view is not None}) > 15
    assert np.array_equal(prep(ramp, "ramp", RNG(0)), ImagePrep(ImageConfig(size=32))(ramp, "ramp", None))
    assert ImagePrep(ImageConfig(size=32)).view(ramp, "ramp", RNG(0)) is None


def test_a_second_view_may_show_the_whole_elsewhere() -> None:
    """Nothing is cut away but at the rim, and nothing changes its size."""
    dot = np.zeros((32, 32, 3), np.uint8)
    dot[12:20, 12:20] = 255
    view = ViewConfig(augment="shift", shift=0.25)
    prep = ImagePrep(ImageConfig(size=32, background=(0, 0, 0), view=view))
    views = [prep.view(dot, "dot", RNG(seed)) for seed in range(20)]
    assert all(view is not None and (view == 255).all(-1).sum() == 64 for view in views)
    assert len({view.tobytes() for view in views if view is not None}) > 10


def test_training_turns_pictures_and_use_does_not() -> None:
    prep = ImagePrep(ImageConfig(size=16, rotate=20))
    assert np.array_equal(prep(noise(), "x", None), noise())
    turned = [prep(noise(), "x", RNG(seed)) for seed in range(5)]
    assert all(not np.array_equal(picture, noise()) for picture in turned)
    assert np.array_equal(turned[0], prep(noise(), "x", RNG(0)))


def test_impossible_settings() -> None:
    with pytest.raises(RecipeError, match=r"image\.view\.scael: unknown key; .* Did you mean 'scale'"):
        validate(ImageConfig, {"view": {"scael": [0.1, 0.2]}}, "image")
    with pytest.raises(RecipeError, match=r"image\.view: scale is \[least, most\]"):
        validate(ImageConfig, {"view": {"scale": [0.9, 0.2]}}, "image")
