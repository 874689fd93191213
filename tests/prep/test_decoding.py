"""Picture files of every format, colour mode and fault."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.prep.pictures import RED, WHITE, apart, prep, saved, scene
from tuwen.core.errors import SampleError


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, 2),
        ("JPEG", {"quality": 95, "progressive": True}, 2),
        ("JPEG", {"quality": 95, "subsampling": 0}, 2),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("GIF", {}, 6),
        ("BMP", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("PPM", {}, 0),
        ("JPEG2000", {}, 0),
        ("AVIF", {"quality": 95}, 3),
    ],
)
def test_every_format_decodes(kind: str, options: dict[str, object], tolerance: float) -> None:
    pixels = prep().decode(saved(scene(), kind, **options), "k")
    assert pixels.dtype == np.uint8
    assert apart(pixels, np.asarray(scene())) <= tolerance


def test_ico_decodes() -> None:
    icon = scene(32, 32)
    assert apart(prep().decode(saved(icon, "ICO", sizes=[(32, 32)]), "k"), np.asarray(icon)) == 0


def test_path_and_bytes_are_the_same(tmp_path: Path) -> None:
    file = tmp_path / "图 1.jpg"
    file.write_bytes(saved(scene(), "JPEG"))
    assert np.array_equal(prep()(file, "k", None), prep()(file.read_bytes(), "k", None))


# Colour modes


def test_palette() -> None:
    image = scene().convert("P", palette=Image.Palette.ADAPTIVE)
    assert np.array_equal(prep().decode(saved(image, "PNG"), "k"), np.asarray(image.convert("RGB")))


def test_palette_with_transparency_lies_on_the_background() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([0, 0, 0, *RED])
    image.putpixel((1, 2), 1)
    pixels = prep(background=(1, 2, 3)).decode(saved(image, "PNG", transparency=0), "k")
    assert tuple(pixels[2, 1]) == RED
    assert tuple(pixels[0, 0]) == (1, 2, 3)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_half_transparent_is_halfway_to_the_background(kind: str) -> None:
    image = Image.new("RGBA", (8, 8), (0, 100, 200, 128))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    pixels = prep(background=(255, 255, 255)).decode(saved(image, kind, **options), "k")
    assert np.allclose(pixels[3, 3], (127, 177, 227), atol=1)


def test_grey_with_alpha() -> None:
    image = Image.new("LA", (4, 4), (60, 0))
    image.putpixel((0, 0), (60, 255))
    pixels = prep(background=(9, 9, 9)).decode(saved(image, "PNG"), "k")
    assert tuple(pixels[0, 0]) == (60, 60, 60)
    assert tuple(pixels[1, 1]) == (9, 9, 9)


def test_colour_key_transparency() -> None:
    image = Image.new("RGB", (4, 4), RED)
    pixels = prep().decode(saved(image, "PNG", transparency=RED), "k")
    assert tuple(pixels[0, 0]) == WHITE


def test_cmyk_jpeg() -> None:
    image = scene().convert("CMYK")
    assert apart(prep().decode(saved(image, "JPEG", quality=95), "k"), np.asarray(image.convert("RGB"))) < 3


def test_grey_jpeg() -> None:
    image = scene().convert("L")
    pixels = prep().decode(saved(image, "JPEG", quality=95), "k")
    assert apart(pixels, np.asarray(image.convert("RGB"))) < 2


def test_one_bit() -> None:
    image = Image.new("1", (4, 4), 0)
    image.putpixel((3, 0), 1)
    pixels = prep().decode(saved(image, "PNG"), "k")
    assert tuple(pixels[0, 3]) == WHITE
    assert pixels.sum() == 3 * 255


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_is_scaled_not_clipped(kind: str) -> None:
    image = Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16))
    assert prep().decode(saved(image, kind), "k")[0, :, 1].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0, 0.5, 1], [0, 128, 255]), ([0, 128, 255], [0, 128, 255]), ([0, 32896, 65535], [0, 128, 255])],
)
def test_floating_point_tiff(values: list[float], expected: list[int]) -> None:
    image = Image.fromarray(np.array([values], np.float32))
    assert prep().decode(saved(image, "TIFF"), "k")[0, :, 0].tolist() == expected


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animation_gives_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, (0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert np.abs(prep().decode(data, "k")[5, 5].astype(int) - RED).max() <= 8


# EXIF


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation_is_undone_as_pillow_does(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(scene(), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert apart(prep().decode(data, "k"), expected) < 1.5


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_rotation_and_reduced_decoding_go_together(resize: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = saved(scene(640, 480), "JPEG", quality=95, exif=exif)
    upright = saved(scene(640, 480).transpose(Image.Transpose.ROTATE_270), "JPEG", quality=95)
    make = prep(size=48, resize=resize)
    assert apart(make(turned, "k", None), make(upright, "k", None)) < 1.5


@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0XX*\0", b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0"],
)
def test_broken_exif_does_no_harm(exif: bytes) -> None:
    data = saved(scene(), "JPEG", quality=95, exif=exif)
    assert apart(prep().decode(data, "k"), np.asarray(scene())) < 2


def test_impossible_orientation_is_upright() -> None:
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 77, 0)
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry
    assert prep().decode(saved(scene(), "JPEG", exif=exif), "k").shape == (48, 64, 3)


# Faults


def refusal(picture: object, **settings: object) -> str:
    with pytest.raises(SampleError) as caught:
        prep(**settings)(picture, "row 3", None)
    assert caught.value.key == "row 3"
    return caught.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "JPEG2000", "AVIF"])
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_truncated(kind: str, share: float) -> None:
    data = saved(scene(200, 200), kind)
    assert "cannot be decoded" in refusal(data[: int(len(data) * share)])


def test_progressive_jpeg_truncated() -> None:
    data = saved(scene(200, 200), "JPEG", progressive=True)
    assert "truncated" in refusal(data[: len(data) // 2])


def test_every_cut_of_a_file_is_refused_or_decoded() -> None:
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"):
        data = saved(scene(24, 24), kind)
        for end in range(0, len(data), max(1, len(data) // 60)):
            try:
                assert prep(size=16)(data[:end], "k", None).shape == (16, 16, 3)
            except SampleError as error:
                assert error.reason  # noqa: PT017


def test_random_damage_is_refused_or_decoded() -> None:
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF"):
        data = np.frombuffer(saved(scene(24, 24), kind), np.uint8)
        for _ in range(40):
            damaged = data.copy()
            damaged[rng.integers(8, len(data), 4)] = rng.integers(0, 256, 4)
            try:
                assert prep(size=16, max_megapixels=1)(damaged.tobytes(), "k", None).shape == (16, 16, 3)
            except SampleError as error:
                assert error.reason  # noqa: PT017


def test_jpeg_with_harmless_flaws_is_read() -> None:
    data = saved(scene(), "JPEG", quality=95)
    cut = data.index(b"\xff\xdb")
    flawed = data[:cut] + b"\x00\x00\x00" + data[cut:]  # stray bytes before a marker: every viewer shows it
    assert apart(prep().decode(flawed, "k"), np.asarray(scene())) < 2


def test_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert refusal(tmp_path / "empty.jpg") == "the file is empty (0 bytes)"
    assert refusal(b"") == "the file is empty (0 bytes)"


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "gone.jpg")
    assert str(tmp_path / "gone.jpg") in refusal(tmp_path / "gone.jpg")
    assert "is a directory" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\n<!DOCTYPE html><html>404</html>", "web page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"),
        (b"\x00\x01\x02 nonsense", "JPEG, PNG"),
    ],
)
def test_not_a_picture(data: bytes, words: str) -> None:
    assert words in refusal(data)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_arrays_that_are_no_pictures(shape: tuple[int, ...]) -> None:
    assert "[H, W, 3] uint8" in refusal(np.zeros(shape, np.uint8))


def test_float_array_is_refused() -> None:
    assert "float64" in refusal(np.zeros((4, 4, 3)))


def huge_png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return start + struct.pack(">I", 4) + b"IDAT" + bytes(4)


@pytest.mark.parametrize("kind", ["BMP", "PNG", "TIFF", "WEBP"])
def test_over_the_limit_is_refused_from_the_header(kind: str) -> None:
    data = huge_png(20_000, 15_000) if kind == "PNG" else saved(scene(200, 150), kind)
    settings = {} if kind == "PNG" else {"max_megapixels": 0.02}
    reason = refusal(data, **settings)
    assert "too large" in reason
    assert "max_megapixels" in reason
    if kind == "PNG":
        assert "20000 x 15000 is 300 megapixels, over the limit of 100" in reason


def test_limit_may_be_raised_above_that_of_pillow() -> None:
    assert "cannot be decoded" in refusal(huge_png(20_000, 15_000), max_megapixels=400)


def test_jpeg_over_the_limit_is_decoded_smaller() -> None:
    data = saved(scene(400, 300), "JPEG", quality=95)
    small = prep(max_megapixels=0.01)
    assert small.decode(data, "k").shape == (75, 100, 3)
    assert apart(small(data, "k", None), prep()(data, "k", None)) < 3


def test_progressive_jpeg_over_the_limit_is_refused() -> None:
    assert "too large" in refusal(saved(scene(400, 300), "JPEG", progressive=True), max_megapixels=0.01)
