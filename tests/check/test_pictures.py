"""What is said of a split's pictures."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from tuwen.check.pictures import Seen, describe, groups_of_same, look_at
from tuwen.core.errors import SampleError
from tuwen.core.sample import Sample
from tuwen.prep.images import ImageConfig, ImagePrep

IMAGES = ImagePrep(ImageConfig(size=32))


def pixels(width: int, height: int, shade: int = 0) -> np.ndarray:
    return np.full((height, width, 3), shade, np.uint8)


def png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def seen(key: str, width: int, height: int) -> Seen:
    return Seen(Sample(key), width, height, pixels(32, 32), key.encode())


def test_pictures_of_any_kind_are_decoded_as_training_does(tmp_path: Path) -> None:
    (tmp_path / "c.png").write_bytes(png(pixels(20, 10, 7)))
    samples = [
        Sample("array", pixels(50, 40)),
        Sample("bytes", png(pixels(64, 32, 3))),
        Sample("path", tmp_path / "c.png"),
    ]
    found, faults = look_at(samples, IMAGES)
    assert not faults
    assert [(one.sample.key, one.width, one.height) for one in found] == [
        ("array", 50, 40),
        ("bytes", 64, 32),
        ("path", 20, 10),
    ]
    for one, sample in zip(found, samples, strict=True):
        assert sample.image is not None
        assert np.array_equal(one.pixels, IMAGES(sample.image, sample.key, None))


def test_what_cannot_be_used_is_told_and_a_text_alone_is_no_fault() -> None:
    outcomes = [
        SampleError("row 3", "it has no picture"),
        Sample("text"),
        Sample("bad", b"hello"),
        Sample("empty", b""),
    ]
    found, faults = look_at(outcomes, IMAGES)
    assert found == []
    assert [fault.key for fault in faults] == ["row 3", "bad", "empty"]
    assert "not a picture" in faults[1].reason
    assert "0 bytes" in faults[2].reason


def test_many_pictures_stay_in_order() -> None:
    found, _ = look_at((Sample(str(number), pixels(4, 4, number)) for number in range(200)), IMAGES)
    assert [one.sample.key for one in found] == [str(number) for number in range(200)]


def test_the_same_file_and_the_same_pixels_are_the_same() -> None:
    other = pixels(9, 9, 1)
    samples = [
        Sample("a", pixels(9, 9)),
        Sample("b", other),
        Sample("c", pixels(9, 9)),
        Sample("d", png(other)),
        Sample("e", png(other)),
        Sample("f", pixels(9, 9)),
    ]
    found, _ = look_at(samples, IMAGES)
    assert groups_of_same(found) == [("a", "c", "f"), ("d", "e")]


def test_small_large_and_long_ones() -> None:
    found = [seen("fine", 64, 64), seen("small", 15, 300), seen("edge", 16, 16), seen("large", 6000, 5000)]
    told = describe([*found, seen("long", 100, 301)], [], IMAGES)
    assert [(fault.key, fault.reason) for fault in told.small] == [("small", "15 x 300")]
    assert [(fault.key, fault.reason) for fault in told.large] == [("large", "6000 x 5000")]
    assert [fault.key for fault in told.long] == ["small", "long"]
    assert told.sides == ((15, 64, 6000), (16, 300, 5000))
    cropped = describe([seen("long", 100, 301)], [], ImagePrep(ImageConfig(size=32, resize="crop")))
    assert cropped.long == (), "only squashing spoils a long picture"


def test_no_picture_at_all() -> None:
    told = describe([], [], IMAGES)
    assert (told.looked_at, told.sides, told.same) == (0, None, ())
