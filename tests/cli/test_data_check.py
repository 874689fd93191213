"""`tuwen data check`: what training would meet, from the command line."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image

from tests.cli.conftest import Said
from tuwen.cli.app import build_app

Run = Callable[..., Said]
Make = Callable[..., Path]


def checked(tuwen: Run, small: list[str], folder: Path, out: Path, *more: object) -> tuple[Said, dict[str, Any]]:
    said = tuwen("data", "check", "--data", folder, "--out", out, *small, *more)
    return said, json.loads((out / "check.json").read_text(encoding="utf-8"))


def captions_of(folder: Path) -> list[list[str]]:
    with (folder / "captions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_sound_data(tuwen: Run, small: list[str], captioned: Make, tmp_path: Path) -> None:
    folder, out = captioned(), tmp_path / "check"
    said, found = checked(tuwen, small, folder, out, "--set", "data.validation=0.3")
    assert said.status == 0, said.line
    assert "the captions are in column 'caption' (guessed)" in said.line
    assert "Left out, because the training data has nothing for them: tasks.vqa, tasks.classify" in said.line
    assert "⟦" in said.line
    assert "no unknown token in any text" in said.line
    assert "Training can begin." in said.line
    assert found["refused"] is None
    splits = found["splits"]
    assert sum(split["samples"] for split in splits.values()) == 12
    assert sum(split["texts"]["captions"] for split in splits.values()) == 24
    languages = splits["train"]["texts"]["languages"]
    assert languages["en"]["texts"] == languages["zh"]["texts"] == splits["train"]["samples"]
    assert splits["train"]["pictures"]["sides"] == [[24, 24, 24], [20, 20, 20]]
    assert found["examples"].keys() == {"retrieve", "caption"}
    with Image.open(out / "contact-sheet.png") as sheet:
        assert sheet.format == "PNG"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["check", "photos"], "it leaves nothing else"


def test_what_is_wrong_or_odd(tuwen: Run, small: list[str], captioned: Make, tmp_path: Path) -> None:
    folder, out = captioned(), tmp_path / "check"
    rows = captions_of(folder)
    Image.new("RGB", (3, 3)).save(folder / "tiny.png")
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:100])
    (folder / "twin.png").write_bytes((folder / "1.png").read_bytes())
    rows += [["tiny.png", "word " * 80], ["broken.png", "half"], ["twin.png", "a twin"], ["gone.png", "x"]]
    rows += [["2.png", ""]]
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    said, found = checked(tuwen, small, folder, out, "--set", "data.validation=0")
    assert said.status == 0, said.line
    pictures, texts = found["splits"]["train"]["pictures"], found["splits"]["train"]["texts"]
    assert {fault["key"] for fault in pictures["unusable"]} == {"broken.png", "gone.png"}
    assert [fault["key"] for fault in pictures["small"]] == ["tiny.png"]
    assert pictures["same"] == [["1.png", "twin.png"]]
    assert "tiny.png" in [fault["key"] for fault in texts["over_long"]]
    for words in ("broken.png: the picture cannot be decoded", "gone.png: no such picture", "captions.csv line"):
        assert words in said.line
    assert "train: texts that are cut" in said.line


def test_a_picture_in_two_splits(tuwen: Run, small: list[str], photos: Make, tmp_path: Path) -> None:
    folder = photos(12, classes=True)
    for split in ("train", "test"):
        for colour in ("red", "green", "blue"):
            place = folder / split / colour
            place.mkdir(parents=True)
            for file in sorted((folder / colour).iterdir())[: 3 if split == "train" else 1]:
                (place / file.name).write_bytes(file.read_bytes())
    said, found = checked(tuwen, small, folder, tmp_path / "check")
    assert said.status == 0, said.line
    assert len(found["shared"]) == 3
    assert "pictures in several splits: 3" in said.line
    assert found["splits"]["train"]["texts"]["labels"] == {"blue": 3, "green": 3, "red": 3}


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (
            "language",
            ("causal_lm 16 in the first batch, 4,096 tokens carry a loss; captioning", "the commonest text is"),
        ),
        ("masked_language", ("tokens carry a loss, drawn anew in each step; masked_lm",)),
    ],
)
def test_a_text_file(tuwen: Run, tmp_path: Path, recipe: str, words: tuple[str, ...]) -> None:
    (tmp_path / "book.txt").write_text("The quick brown fox jumps over the lazy dog.\n" * 30)
    said = tuwen("data", "check", recipe, "--data", tmp_path / "book.txt", "--out", tmp_path / "check")
    assert all(one in said.line for one in (*words, "⟦", "⟧"))
    assert "picture" not in said.line
    assert "caption is" not in said.line


def test_training_that_would_be_refused(tuwen: Run, small: list[str], captioned: Make, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("extends: pretrain\ntasks:\n  more: {kind: vqa, by: words}\n")
    said = tuwen("data", "check", recipe, "--data", captioned(), "--out", tmp_path / "check", *small)
    assert said.status == 1
    assert "Training would be refused: tasks.more: no training sample has" in said.line
    assert "captions" in said.line, "what can be said is said all the same"
    found = json.loads((tmp_path / "check" / "check.json").read_text(encoding="utf-8"))
    assert found["refused"].startswith("tasks.more")
    assert found["splits"]["train"]["samples"] > 0


def test_data_that_is_not_there(tuwen: Run, small: list[str], tmp_path: Path) -> None:
    said = tuwen("data", "check", "--data", tmp_path / "none", "--out", tmp_path / "check", *small)
    assert (said.status, "no such folder or file" in said.line) == (1, True)
    (tmp_path / "file").touch()
    (tmp_path / "photos").mkdir()
    said = tuwen("data", "check", "--data", tmp_path / "photos", "--out", tmp_path / "file", *small)
    assert (said.status, "the results cannot be written" in said.line) == (1, True)


@pytest.mark.parametrize("count", [0, 3])
def test_how_many_pictures_are_decoded(
    tuwen: Run, small: list[str], captioned: Make, tmp_path: Path, count: int
) -> None:
    _, found = checked(tuwen, small, captioned(), tmp_path / "check", "--pictures", count, "--set", "data.validation=0")
    assert found["splits"]["train"]["pictures"]["looked_at"] == (count or 12)
    assert found["splits"]["train"]["texts"]["looked_at"] == 12


def test_it_takes_the_words_of_pretrain() -> None:
    program = typer.main.get_command(build_app())
    commands: Any = program.commands  # type: ignore[attr-defined]
    words = {parameter.name for parameter in commands["pretrain"].params} - {"resume"}
    assert words <= {parameter.name for parameter in commands["data"].commands["check"].params}
