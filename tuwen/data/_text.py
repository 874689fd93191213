"""Texts as they stand in files, made fit to read: control characters gone, their language told by script."""

from __future__ import annotations

import math
import re
from typing import Any

# Controls, lone surrogates, and the invisible: soft hyphen, zero-width space, word joiner, byte-order mark.
# White space is dealt with apart; joiners that shape emoji and letters stay.
_CODES = (*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), 0xAD, 0x200B, 0x2060, 0xFEFF)
_DROPPED = {code: None for code in _CODES if not chr(code).isspace()}

_HAN = re.compile(r"[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_KANA = re.compile(r"[\u3041-\u30fa\u31f0-\u31ff]")
_HANGUL = re.compile(r"[\u1100-\u11ff\uac00-\ud7a3]")
_LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_BETWEEN = re.compile("[,;，；、]")
_ACCENTED = re.compile(r"[\u00c0-\u024f]")


def clean(text: str) -> str:
    """The text on one line, without control characters and without white space around it."""
    return " ".join(text.translate(_DROPPED).split())


def texts(value: Any) -> list[str]:
    """The texts of a cell: a string, a number, a list of them, or nothing. Cleaned, and none is empty."""
    if is_missing(value) or isinstance(value, (dict, bytes)):
        return []
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in texts(item)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    cleaned = clean(value if isinstance(value, str) else str(value))
    return [cleaned] if cleaned else []


def tags_in(text: str) -> set[str]:
    """What stands between commas and semicolons."""
    return {clean(part) for part in _BETWEEN.split(text)} - {""}


def is_missing(value: Any) -> bool:
    """Whether a cell is empty: null, or NaN, which pandas writes for it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def guess_language(text: str) -> str:
    """`zh`, `en`, `ja` or `ko` by script, else `und`. Latin letters with hardly an accent count as English."""
    if _HANGUL.search(text):
        return "ko"
    han, words = len(_HAN.findall(text)), _LATIN_WORD.findall(text)
    if _KANA.search(text):
        return "ja"
    if han and han >= len(words):
        return "zh"
    letters = sum(map(len, words))
    others = sum(character.isalpha() for character in text) - letters - han
    accents = sum(len(_ACCENTED.findall(word)) for word in words)
    return "en" if letters and accents <= letters / 20 and others <= letters / 2 else "und"
