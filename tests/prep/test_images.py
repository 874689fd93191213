"""How pictures are cut and resized, in training and in use."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from pydantic import ValidationError

from tests.prep.pictures import RED, apart, prep, saved, scene
from tuwen.prep.images import ImageConfig


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize("augment", ["none", "crop", "shift"])
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 500), (1000, 3)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_tiny_and_extreme_pictures(resize: str, augment: str, size: tuple[int, int], kind: str) -> None:
    make = prep(size=16, resize=resize, augment=augment)
    rng = np.random.default_rng(0)
    data = saved(Image.new("RGB", size, RED), kind)
    for _ in range(20):
        square = make(data, "k", rng)
        assert square.shape == (16, 16, 3)
        assert np.abs(square.astype(int) - RED).sum(-1).min() < 12


# Cutting and resizing


def by_pillow(image: Image.Image, resize: str, size: int, background: tuple[int, int, int]) -> np.ndarray:
    method = Image.Resampling.BILINEAR
    if resize == "crop":
        return np.asarray(ImageOps.fit(image, (size, size), method))
    if resize == "pad":
        return np.asarray(ImageOps.pad(image, (size, size), method, color=background))
    return np.asarray(image.resize((size, size), method))


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize("size", [(64, 48), (48, 64), (640, 480), (40, 200), (20, 20)])
def test_evaluation_is_what_pillow_computes(resize: str, size: tuple[int, int]) -> None:
    image = scene(*size)
    background = (10, 20, 30)
    square = prep(size=40, resize=resize, background=background)(saved(image, "PNG"), "k", None)
    assert apart(square, by_pillow(image, resize, 40, background)) < 1.5


def test_bicubic_is_what_pillow_computes() -> None:
    square = prep(size=40, interpolation="bicubic")(np.array(scene(100, 90)), "k", None)
    expected = np.asarray(scene(100, 90).resize((40, 40), Image.Resampling.BICUBIC))
    assert np.abs(square.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("side", [39, 40, 41])
def test_with_shortest_a_file_of_the_models_size_is_cut_like_those_of_others(side: int) -> None:
    """And an array of that size is taken to be prepared."""
    make = prep(size=40, resize="crop", shortest=46)
    image = scene(side, side)
    left = (46 - 40) // 2
    expected = np.asarray(image.resize((46, 46), Image.Resampling.BILINEAR))[left : left + 40, left : left + 40]
    assert np.abs(make(saved(image, "PNG"), "k", None).astype(int) - expected).max() <= 2
    array = np.array(image)
    assert np.array_equal(make(array, "k", None), array) == (side == 40)


def test_exactness_decodes_in_full() -> None:
    data = saved(scene(640, 480), "JPEG", quality=95)
    exact, fast = prep(size=32, exact=True), prep(size=32)
    in_full = fast(fast.decode(data, "k"), "k", None)
    assert np.array_equal(exact(data, "k", None), in_full)
    assert not np.array_equal(fast(data, "k", None), in_full)


@pytest.mark.parametrize("size", [(640, 480), (641, 479), (1000, 333), (123, 457)])
@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_fast_jpeg_path_sees_what_the_slow_one_sees(size: tuple[int, int], resize: str) -> None:
    data = saved(scene(*size), "JPEG", quality=95)
    make = prep(size=32, resize=resize)
    slow = make(make.decode(data, "k"), "k", None)
    assert apart(make(data, "k", None), slow) < 1.5


def test_fast_jpeg_path_crops_what_the_slow_one_crops() -> None:
    data = saved(scene(640, 480), "JPEG", quality=95)
    for augment in ("crop", "shift"):
        make = prep(size=32, augment=augment, flip=True, scale=(0.2, 1))
        full = make.decode(data, "k")
        for seed in range(20):
            fast = make(data, "k", np.random.default_rng(seed))
            assert apart(fast, make(full, "k", np.random.default_rng(seed))) < 2.5


def test_a_fitting_picture_passes_without_a_copy() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    for resize in ("squash", "crop", "pad"):
        for rng in (None, np.random.default_rng(0)):
            assert np.shares_memory(prep(size=32, resize=resize)(pixels, "k", rng), pixels)


def test_evaluation_ignores_augmentation_and_is_deterministic() -> None:
    data = saved(scene(), "JPEG")
    plain = prep(size=32)(data, "k", None)
    assert np.array_equal(prep(size=32, augment="crop", flip=True)(data, "k", None), plain)
    assert np.array_equal(prep(size=32, augment="shift")(data, "k", None), plain)


@pytest.mark.parametrize("augment", ["crop", "shift"])
def test_augmentation_is_a_function_of_the_generator(augment: str) -> None:
    make = prep(size=32, augment=augment, flip=True)
    squares = [make(np.array(scene()), "k", np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(squares[0], squares[1])
    assert not np.array_equal(squares[0], squares[2])
    assert all(square.flags.c_contiguous and square.dtype == np.uint8 for square in squares)


def positions(square: np.ndarray) -> tuple[float, float, float, float]:
    """Which part of `scene` is seen, as fractions: red tells the column, green the row."""
    red, green = square[..., 0] / 250, square[..., 1] / 250
    return red.min(), green.min(), red.max(), green.max()


@pytest.mark.parametrize("resize", ["squash", "crop"])
def test_random_crops_have_the_asked_area_and_shape(resize: str) -> None:
    make = prep(size=64, resize=resize, augment="crop", scale=(0.2, 0.6), ratio=(0.8, 1.25))
    rng = np.random.default_rng(0)
    picture = np.array(scene(256, 192))
    areas, places = [], []
    for _ in range(200):
        left, top, right, bottom = positions(make(picture, "k", rng))
        areas.append((right - left) * (bottom - top))
        places.append((left + right) / 2)
        aspect = (right - left) / (bottom - top) * (256 / 192 if resize == "crop" else 1)
        assert 0.74 < aspect < 1.36
    assert 0.18 < min(areas) < 0.28
    assert 0.52 < max(areas) < 0.63
    assert min(places) < 0.35
    assert max(places) > 0.65


def test_shift_moves_and_zooms_within_its_bounds() -> None:
    make = prep(size=100, augment="shift", shift=0.2, zoom=(0.5, 1), background=(0, 0, 255))
    rng = np.random.default_rng(0)
    centres, sides = [], []
    for _ in range(100):
        seen = np.argwhere((make(np.full((100, 100, 3), RED, np.uint8), "k", rng) == RED).all(-1))
        (top, left), (bottom, right) = seen.min(0), seen.max(0) + 1
        sides.append(right - left)
        if left > 0 and right < 100:
            centres.append((left + right) / 2)
        assert len(seen) == (right - left) * (bottom - top)
    assert min(sides) < 60
    assert max(sides) > 85
    assert min(centres) >= 50 - 20 - 1
    assert max(centres) <= 50 + 20 + 1


def test_flip_mirrors_half_of_them() -> None:
    make = prep(size=64, flip=True)
    picture = np.array(scene(64, 64))
    rng = np.random.default_rng(0)
    mirrored = 0
    for _ in range(100):
        square = make(picture, "k", rng)
        flipped = square[0, 0, 0] > square[0, -1, 0]
        assert np.array_equal(square[:, ::-1] if flipped else square, picture)
        mirrored += flipped
    assert 30 < mirrored < 70


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": (0.9, 0.5)},
        {"zoom": (0, 1)},
        {"background": (0, 0, 256)},
        {"size": 0},
        {"std": (0, 1, 1)},
        {"sise": 3},
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ImageConfig.model_validate(settings)


def test_real_photographs(bccd: Path) -> None:
    files = sorted((bccd / "JPEGImages").glob("*.jpg"))[:5]
    make = prep(size=96)
    for file in files:
        with Image.open(file) as image:
            expected = np.asarray(image.convert("RGB").resize((96, 96), Image.Resampling.BILINEAR))
        assert apart(make(file, file.name, None), expected) < 3


def test_an_array_that_is_lent_for_reading_is_read(recwarn: pytest.WarningsRecorder) -> None:
    lent = np.array(scene(50, 40))
    own = prep(size=32)(lent.copy(), "k", None)
    lent.flags.writeable = False
    assert np.array_equal(prep(size=32)(lent, "k", None), own)
    assert not recwarn.list
