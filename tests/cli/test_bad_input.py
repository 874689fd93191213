"""What is wrong is told in one message that names the file, line or key and what to do; nothing ends in a traceback."""

import json
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Said, refused

Run = Callable[..., Said]
Make = Callable[..., Path]


# What the command line names


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--data", "nowhere"], ["--data nowhere", "no such folder or file"]),
        ([], ["photos", "no such folder of pictures", "--data"]),
        (["--captions", "captions.csv"], ["--captions captions.csv", "give that as --data"]),
        (["--data", "photos", "--captions", "nope.csv"], ["nope.csv", "no such table", "captions.csv"]),
        (["pretrian"], ["no recipe 'pretrian'", "Did you mean 'pretrain'?"]),
        (["--set", "trian.steps=3"], ["trian: unknown key", "Did you mean 'train'?"]),
        (["--set", "model.image.kind=cnnn"], ["--set: model.image: no part 'cnnn'", "Did you mean 'cnn'?"]),
        (["--set", "train.steps=many"], ["--set: train.steps", "many"]),
        (["--data", "photos", "--set", "data.caption_columns=[captoin]"], ["'captoin'", "Did you mean 'caption'?"]),
        (["--data", "photos", "--set", "data.image_column=picture"], ["no column 'picture'", "'image'"]),
        (["--data", "photos", "--out", "file"], ["file is a file", "--out"]),
        (["--data", "photos", "--out", "file/run"], ["file is a file", "--out"]),
        (["--data", "file"], ["--data file", "neither a table", "nor a tar", "the folder that the pictures are in"]),
        (["--data", "photos", "--captions", "photos"], ["photos: no such table", "captions.csv"]),
        (["--data", "photos", "--set", "evaluate.splits=[tset]"], ["no split 'tset' beside train; it has validation"]),
        (["--set", "train.steps"], ["--set train.steps: write a key and a value"]),
        (["--set", "train.steps=[1"], ["--set train.steps=[1", "not valid YAML"]),
        (["--set", "model.text.heads=7", "--data", "photos"], ["heads 7 does not divide width 128"]),
        (["--set", "objectives.contrastve={}"], ["no part 'contrastve'", "Did you mean 'contrastive'?"]),
    ],
)
def test_names_that_are_not_there(
    tuwen: Run, captioned: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: list[str]
) -> None:
    monkeypatch.chdir(captioned().parent)
    (tmp_path / "file").write_text("")
    if words in ([], ["--captions", "captions.csv"]):
        shutil.rmtree("photos")
    refused(tuwen("pretrain", *words), *told)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", ["mine.yaml: data: is missing"]),
        (b"\x81\x00\xff", ["mine.yaml: not UTF-8 text"]),
        (b"- a list\n", ["mine.yaml: a recipe is a mapping"]),
        (b"model: [1,\n", ["mine.yaml:2: not valid YAML"]),
        (b"extends: pretrain\ntrian: {steps: 3}\n", ["mine.yaml:2: trian: unknown key", "Did you mean 'train'?"]),
        (b"extends: pretrain\nmodel: {image: {kind: vitt}}\n", ["mine.yaml:2: model.image: no part 'vitt'", "'vit'?"]),
        (
            b"extends: pretrain\nmodel:\n  image: {kind: vit, dpeth: 3}\n",
            ["mine.yaml:3: model.image.dpeth", "'depth'?"],
        ),
        (b"extends: pretrain\ntrain: {steps: -3}\n", ["mine.yaml:2: train.steps", "greater than 0, got -3"]),
        (b"extends: nowhere\n", ["mine.yaml:1: extends: no recipe 'nowhere'"]),
        (b"seed: 1\nseed: 2\n", ["mine.yaml:2: 'seed' stands here for the second time (first: mine.yaml:1)"]),
        (b"seed: !!python/object/apply:os.system [ls]\n", ["mine.yaml:1: the tag", "refused"]),
    ],
)
def test_recipes_that_are_none(
    tuwen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, told: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_bytes(content)
    refused(tuwen("pretrain", "mine.yaml"), *told)
    refused(tuwen("recipe", "show", "mine.yaml"), *told)


def test_an_empty_folder(tuwen: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(tuwen("pretrain", "--data", tmp_path / "empty"), "empty: no pictures in it", ".jpg")


def test_pictures_of_which_nothing_is_said(tuwen: Run, photos: Make) -> None:
    refused(tuwen("pretrain", "--data", photos(5)), "nothing is said about its 5 pictures", "`captions`", "subfolder")


def test_one_picture_only(tuwen: Run, captioned: Make) -> None:
    refused(tuwen("pretrain", "--data", captioned(1)), "1 of 1 training samples can be used", "at least 2")


def test_texts_without_pictures(tuwen: Run, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("title,text\none,hello world\ntwo,你好，世界\n", encoding="utf-8")
    refused(tuwen("pretrain", "--data", tmp_path / "texts.csv"), "texts.csv: no column names pictures that are there")


def test_nothing_but_broken_pictures(tuwen: Run, captioned: Make) -> None:
    folder = captioned(6)
    for file in folder.glob("*.png"):
        file.write_text("<html>not found</html>")
    told = ["0 of", "training samples can be used", "a web page saved under a picture's name"]
    refused(tuwen("pretrain", "--data", folder), *told)


def test_an_objective_that_would_find_nothing(tuwen: Run, small: list[str], captioned: Make, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("extends: pretrain\nobjectives:\n  answering: {kind: classification, stream: vqa, head: label}\n")
    said = tuwen("pretrain", recipe, "--data", captioned(), "--out", tmp_path / "run", *small)
    refused(said, "objectives.answering: no position would carry a loss", "objectives.answering=null", "`optional`")
    assert not (tmp_path / "run").exists()


# Files as they come


def test_a_folder_of_all_kinds_of_pictures(tuwen: Run, small: list[str], captioned: Make, tmp_path: Path) -> None:
    folder, run = captioned(8), tmp_path / "run"
    odd, broken = odd_pictures(folder), broken_pictures(folder)
    with (folder / "captions.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"{name},a picture 一张图\n" for name in [*odd, *broken, "gone.png"])
    said = tuwen("pretrain", "--data", folder, "--out", run, *small, "--set", "train.steps=6")
    assert said.status == 0, said.line
    listed = [json.loads(line) for line in (run / "skipped.jsonl").read_text(encoding="utf-8").splitlines()]
    reasons = {Path(entry["key"]).name: entry["reason"] for entry in listed}
    assert reasons.keys() == {*broken, "gone.png"}
    for name, words in broken.items():
        assert words in reasons[name]
    assert "captions.csv line" in reasons["gone.png"]
    assert f"{len(broken) + 1} samples could not be used" in said.line
    assert "skipped.jsonl lists them" in said.line


def test_pictures_shown_to_a_model(tuwen: Run, tiny_run: Path, tmp_path: Path) -> None:
    odd = odd_pictures(tmp_path)
    said = tuwen("caption", tiny_run, *[tmp_path / name for name in odd])
    assert said.status == 0, said.line
    assert [line.partition(": ")[0] for line in said.out.splitlines()] == [str(tmp_path / name) for name in odd]
    for name, words in (broken_pictures(tmp_path) | {"gone.png": "no such file", ".": "is a directory"}).items():
        refused(tuwen("caption", tiny_run, tmp_path / odd[0], tmp_path / name), str(tmp_path / name), words)


def test_a_broken_picture_does_not_cost_the_others(tuwen: Run, tiny_run: Path, captioned: Make) -> None:
    folder = captioned(2)
    good, broken, other = folder / "0.png", folder / "broken.jpg", folder / "1.png"
    broken.write_text("hello")
    said = tuwen("caption", tiny_run, good, broken, other)
    assert [line.partition(": ")[0] for line in said.out.splitlines()] == [str(good), str(other)]
    assert said.out == tuwen("caption", tiny_run, good, other).out
    assert said.err.startswith(f"{broken}: ")
    assert said.status == 1
    refused(tuwen("caption", tiny_run, broken), "not a picture")


def odd_pictures(folder: Path) -> list[str]:
    """Sound pictures of kinds that trip programs up."""
    rng = np.random.default_rng(1)
    first, second = (Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)) for _ in range(2))
    first.quantize(8).save(folder / "palette.png")
    first.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(rng.integers(0, 2**16, (30, 40), dtype=np.uint16)).save(folder / "sixteen.png")
    first.save(folder / "animated.gif", save_all=True, append_images=[second])
    first.save(folder / "animated.webp", save_all=True, append_images=[second])
    first.save(folder / "animated.png", save_all=True, append_images=[second])
    turned = Image.Exif()
    turned[0x112] = 6
    first.save(folder / "turned.jpg", exif=turned)
    return sorted(file.name for file in folder.iterdir() if not file.name[0].isdigit() and file.suffix != ".csv")


def broken_pictures(folder: Path) -> dict[str, str]:
    """Pictures that cannot be used, and words of the reason."""
    whole = folder / "whole.jpg"
    Image.fromarray(np.random.default_rng(2).integers(0, 255, (60, 60, 3), dtype=np.uint8)).save(whole)
    (folder / "cut.jpg").write_bytes(whole.read_bytes()[:-1000])
    whole.unlink()
    (folder / "zero.png").write_bytes(b"")
    (folder / "text.jpg").write_text("hello")
    header = struct.pack(">IIBBBBB", 20_000, 15_000, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 9)), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    (folder / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return {"cut.jpg": "truncated", "zero.png": "0 bytes", "text.jpg": "not a picture", "huge.png": "300 megapixels"}


# A process


def test_a_message_and_no_traceback_in_a_process_of_its_own(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tuwen", "pretrain", "--data", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{tmp_path}: no pictures in it")
    assert len(done.stderr.splitlines()) == 1
