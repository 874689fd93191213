"""Cleaning texts and telling their language."""

import pytest

from tuwen.data._text import clean, guess_language, texts


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("  a\tdog \r\n runs ", "a dog runs"),
        ("a\x00d\x07og\x1b[0m", "adog[0m"),
        ("\ufeffa dog", "a dog"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("half \ud83d a pair", "half a pair"),
        ("一只\u3000小狗", "一只 小狗"),
        ("👨\u200d👩\u200d👧 ❤\ufe0f", "👨\u200d👩\u200d👧 ❤\ufe0f"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\x85\x9f", ""),
        ("", ""),
    ],
)
def test_clean(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        (float("nan"), []),
        ("", []),
        (" \x00 ", []),
        ("a", ["a"]),
        (3, ["3"]),
        (True, ["true"]),
        (["a", None, ["b", ""], 2.5, float("nan")], ["a", "b", "2.5"]),
        ({"bytes": b""}, []),
        (b"abc", []),
    ],
)
def test_texts_of_cells(value: object, expected: list[str]) -> None:
    assert texts(value) == expected


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a dog runs", "en"),
        ("hash sign", "en"),
        ("A café in the old town by the river", "en"),
        ("一只小狗", "zh"),
        ("井号", "zh"),
        ("iPhone 手机壳", "zh"),
        ("the Chinese character 中 in red", "en"),
        ("白い犬", "ja"),
        ("ハッシュマーク", "ja"),
        ("하얀 개", "ko"),
        ("été à la plage, très bien", "und"),
        ("собака", "und"),
        ("علامة المربّع", "und"),
        ("123 !?", "und"),
        ("👍🏽", "und"),
        ("", "und"),
    ],
)
def test_language_by_script(text: str, language: str) -> None:
    assert guess_language(text) == language
