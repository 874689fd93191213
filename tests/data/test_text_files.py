"""Text files as documents, windows and splits."""

from pathlib import Path
from typing import Any

import pytest

from tuwen.core.errors import DataError, RecipeError
from tuwen.core.rooms import build_part
from tuwen.core.sample import Sample, Source
from tuwen.data import NotedSplits, spec_of

POEMS = "靜夜思\n床前明月光，\n疑是地上霜。\n\n登鸛雀樓\n白日依山盡，\n黃河入海流。\n \n\n江雪\n千山鳥飛絕。\n"


def read(path: Path | list[Path], **settings: Any) -> NotedSplits:
    return build_part("data", {"kind": "text", "path": path if isinstance(path, list) else str(path), **settings})


def texts(source: Any) -> list[str]:
    assert isinstance(source, Source)
    return [source[number].captions[0].text for number in range(len(source))]


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """A file of 100 different characters, without a line end."""
    file = tmp_path / "letters.txt"
    file.write_text("".join(chr(0x100 + number) for number in range(100)), encoding="utf-8")
    return file


def test_the_end_of_a_single_document_is_kept_for_validation(letters: Path) -> None:
    whole = letters.read_text(encoding="utf-8")
    splits = read(letters, window=20)
    assert "".join(texts(splits["train"])) == whole[:90]
    assert "".join(texts(splits["validation"])) == whole[90:]
    assert set(read(letters, window=20, validation=0)) == {"train"}


def test_windows_overlap_in_training_alone(letters: Path) -> None:
    whole = letters.read_text(encoding="utf-8")
    splits = read(letters, window=40, stride=15, validation=0.5)
    assert texts(splits["train"]) == [whole[0:40], whole[15:50]]
    assert texts(splits["validation"]) == [whole[50:90], whole[90:]]


@pytest.mark.parametrize(("length", "window", "stride"), [(1, 5, 5), (5, 5, 2), (6, 5, 2), (11, 5, 5), (12, 5, 3)])
def test_every_character_is_in_a_window_and_only_the_last_one_ends(
    tmp_path: Path, length: int, window: int, stride: int
) -> None:
    (tmp_path / "a.txt").write_text("".join(chr(0x4E00 + number) for number in range(length)), encoding="utf-8")
    source = read(tmp_path, window=window, stride=stride, validation=0)["train"]
    assert isinstance(source, Source)
    samples: list[Sample] = [source[number] for number in range(len(source))]
    assert {c for sample in samples for c in sample.captions[0].text} == set((tmp_path / "a.txt").read_text("utf-8"))
    assert [sample.captions[0].whole for sample in samples] == [False] * (len(samples) - 1) + [True]
    assert len({sample.key for sample in samples}) == len(samples)
    assert all(sample.image is None for sample in samples)


def test_what_a_document_is(tmp_path: Path) -> None:
    file = tmp_path / "poems.txt"
    file.write_text(POEMS, encoding="utf-8")
    found = {unit: texts(read(file, documents=unit, validation=0)["train"]) for unit in ("file", "blank_line", "line")}
    assert found["file"] == [POEMS]
    assert found["blank_line"] == [
        "靜夜思\n床前明月光，\n疑是地上霜。",
        "登鸛雀樓\n白日依山盡，\n黃河入海流。",
        "江雪\n千山鳥飛絕。",
    ]
    assert found["line"] == [line for line in POEMS.split("\n") if line.strip()]
    assert read(file, validation=0)["train"][0].captions[0].language == "zh"


def test_documents_are_kept_whole_for_validation(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("\n".join(f"line {number:03}" for number in range(200)), encoding="utf-8")
    splits = read(file, documents="line", validation=0.1)
    train, kept = texts(splits["train"]), texts(splits["validation"])
    assert len(kept) == 20
    assert sorted(train + kept) == [f"line {number:03}" for number in range(200)]
    assert kept != sorted(train + kept)[-20:], "they come from everywhere"
    assert texts(read(file, documents="line", validation=0.1)["validation"]) == kept


def test_folders_and_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "b.md").write_text("second", encoding="utf-8-sig")
    (tmp_path / "in" / "a.txt").write_bytes("白日依山盡黃河入海流\r\n".encode("gb18030"))
    (tmp_path / "c.png").write_bytes(b"no text")
    splits = read(tmp_path, validation=0)
    assert texts(splits["train"]) == ["second", "白日依山盡黃河入海流\n"]
    assert "in 2 documents of 2 files" in splits.notes[0]
    assert any("GB18030" in note for note in splits.notes)


def test_bad_input_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" \n\n")
    with pytest.raises(DataError, match="there is no text in it"):
        read(tmp_path / "empty.txt")
    with pytest.raises(DataError, match="no such file or folder of texts"):
        read(tmp_path / "gone.txt")
    (tmp_path / "sub").mkdir()
    with pytest.raises(DataError, match="no text files in it"):
        read(tmp_path / "sub")
    with pytest.raises(RecipeError, match="stride 9 is longer than window 5"):
        read(tmp_path, window=5, stride=9)


def test_words_of_the_command_line_are_files_to_a_recipe_that_reads_texts() -> None:
    assert spec_of(["a.txt", "b"], kind="text") == {"kind": "text", "path": ["a.txt", "b"]}
    assert spec_of(["scenes"], kind="folder") == {"kind": "scenes"}
