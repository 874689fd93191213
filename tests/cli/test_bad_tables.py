"""Tables as they come: what can be read is read, what cannot is told with its file and line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Said, refused

Run = Callable[..., Said]
Make = Callable[..., Path]

ROWS = "".join(f"{number}.png,picture number {number}\n" for number in range(6))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_from_any_program(tuwen: Run, small: list[str], photos: Make, tmp_path: Path, separator: str) -> None:
    folder = photos(6)
    rows = [
        separator.join(cells) for cells in (("图片", "描述"), *((f"{n}.png", f"第{n}张\x07 nice") for n in range(6)))
    ]
    (folder / "表.csv").write_bytes(("\ufeff" + "\r\n".join(rows) + "\r\n").encode())
    said = tuwen("pretrain", "--data", folder, "--captions", folder / "表.csv", "--out", tmp_path / "run", *small)
    assert said.status == 0, said.line
    assert "the captions are in column '描述' (guessed)" in said.line


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("captions.csv", b"", ["captions.csv: the file is empty (0 bytes)"]),
        ("captions.csv", b"\n\n", ["captions.csv: the file is empty"]),
        ("captions.csv", b"image,caption\n", ["captions.csv", "no line after it"]),
        ("captions.csv", b"image\n0.png\n", ["captions.csv", "'image', is not two or more columns"]),
        ("captions.csv", b"n,caption\nfirst,hello\n", ["no column names pictures that are there", "'n', 'caption'"]),
        ("captions.csv", b"image,width\n0.png,24\n", ["no column says anything about the pictures", "'width'"]),
        ("captions.csv", b"image,caption\nx/9.png,hello\n", ["none of 1 pictures looked for is there", "9.png"]),
        ("captions.csv", b"image,caption\n0.png,caf\xe9 \xff\n", ["captions.csv", "neither UTF-8", "cp1252"]),
        ("captions.csv", b"\x89PNG\r\n\x1a\n\xff\xfe\xfd", ["captions.csv", "neither UTF-8"]),
        ("captions.jsonl", b"\n", ["captions.jsonl: the file is empty"]),
        ("captions.json", b"[{", ["captions.json: broken JSON", ".jsonl"]),
        ("captions.json", b"3", ["captions.json: no records found"]),
        ("captions.parquet", b"PAR1", ["captions.parquet: not a Parquet file"]),
    ],
)
def test_tables_that_cannot_be_used(
    tuwen: Run, photos: Make, tmp_path: Path, name: str, content: bytes, told: list[str]
) -> None:
    folder = photos(6)
    (folder / name).write_bytes(content)
    refused(tuwen("pretrain", "--data", folder, "--out", tmp_path / "run"), *told)
    assert not (tmp_path / "run").exists()


def test_a_spreadsheet(tuwen: Run, photos: Make) -> None:
    folder = photos(6)
    (folder / "captions.xlsx").write_bytes(b"PK\x03\x04")
    refused(tuwen("pretrain", "--data", folder, "--captions", "captions.xlsx"), "captions.xlsx: a spreadsheet", "CSV")
    refused(tuwen("pretrain", "--data", folder / "captions.xlsx"), "captions.xlsx", "save a spreadsheet as CSV")


def test_several_tables(tuwen: Run, photos: Make) -> None:
    folder = photos(6)
    for name in ("one.csv", "two.csv"):
        (folder / name).write_text(f"image,caption\n{ROWS}", encoding="utf-8")
    refused(tuwen("pretrain", "--data", folder), "several tables", "one.csv", "two.csv", "`captions`")


def skipped_of(run: Path) -> dict[str, str]:
    lines = (run / "skipped.jsonl").read_text(encoding="utf-8").splitlines()
    return {entry["key"]: entry["reason"] for entry in map(json.loads, lines)}


def test_rows_that_cannot_be_used_are_listed_with_their_line(
    tuwen: Run, small: list[str], photos: Make, tmp_path: Path
) -> None:
    folder, run = photos(12), tmp_path / "run"
    odd = '6.png,\n7.png, \x01\x7f \n,no picture\n8.png\n9.png,a, b\n10.png,"open\n11.png,lost\n'
    (folder / "captions.csv").write_text(f"image,caption\n{ROWS}{odd}", encoding="utf-8")
    sets = ("--set", "train.steps=4", "--set", "data.validation=0")
    said = tuwen("pretrain", "--data", folder, "--out", run, *small, *sets)
    assert said.status == 0, said.line
    found = skipped_of(run)
    assert sorted(found) == sorted(
        ["6.png", "7.png", "8.png", "captions.csv line 10", "captions.csv line 12", "captions.csv line 13"]
    )
    for key, line in (("6.png", 8), ("7.png", 9), ("8.png", 11)):
        assert found[key] == f"nothing is said about the picture: caption is empty (captions.csv line {line})"
    assert found["captions.csv line 10"] == "it has no picture"
    assert "3 fields where the header names 2" in found["captions.csv line 12"]
    assert (
        "a double quote opened here is not closed where it should be, and hides what comes after"
        in found["captions.csv line 13"]
    )
    assert "6 samples could not be used" in said.line


def test_broken_lines_of_json(tuwen: Run, small: list[str], photos: Make, tmp_path: Path) -> None:
    folder, run = photos(8), tmp_path / "run"
    lines = [json.dumps({"image": f"{number}.png", "captions": ["one", "两个"]}) for number in range(6)]
    lines += ['{"image": "6.png", ', '{"image": "7.png", "captions": []}']
    (folder / "captions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    said = tuwen("pretrain", "--data", folder, "--out", run, *small, "--set", "data.validation=0")
    assert said.status == 0, said.line
    found = skipped_of(run)
    assert found.keys() == {"captions.jsonl line 7", "7.png"}
    assert found["captions.jsonl line 7"].startswith("broken JSON: ")
    assert "captions is empty" in found["7.png"]


@pytest.mark.parametrize("text", ["word " * 20_000, "字" * 20_000], ids=["words", "characters"])
def test_a_text_that_is_far_too_long_is_cut(
    tuwen: Run, small: list[str], photos: Make, tmp_path: Path, text: str
) -> None:
    folder = photos(7)
    (folder / "captions.csv").write_text(f"image,caption\n{ROWS}6.png,{text}\n", encoding="utf-8")
    said = tuwen("data", "check", "--data", folder, "--out", tmp_path / "check", *small)
    assert said.status == 0, said.line
    assert "texts that are cut: 1" in said.line
    assert "of which 62 are read" in said.line
    assert tuwen("pretrain", "--data", folder, "--out", tmp_path / "run", *small).status == 0


def test_a_field_without_end(tuwen: Run, photos: Make) -> None:
    folder = photos(7)
    (folder / "captions.csv").write_text(f'image,caption\n{ROWS}6.png,"{"word " * 30_000}\n', encoding="utf-8")
    refused(tuwen("pretrain", "--data", folder), "captions.csv line 8", "a double quote is opened and never closed")
