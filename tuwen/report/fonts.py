"""Text in pictures: a font that has the characters, and lines that are not too long, in English and in Chinese."""

from __future__ import annotations

import unicodedata

from matplotlib.font_manager import FontProperties, findfont, findSystemFonts, get_font

from tuwen.report.marking import pieces

PROBE = "图文"
"""A font that has these is taken for a Chinese one."""


def find_font(chinese: bool) -> FontProperties:
    """A plain Chinese font where one is wanted and installed, else the font that comes with matplotlib."""
    if chinese:
        for path in sorted(findSystemFonts(), key=_preference):
            if {ord(char) for char in PROBE} <= characters(path):
                return FontProperties(fname=path)
    return FontProperties(fname=findfont("DejaVu Sans"))


def characters(path: str) -> set[int]:
    """The code points that a font can draw; none where matplotlib cannot read the font (bitmap emoji, for one)."""
    try:
        return set(get_font(path).get_charmap())
    except RuntimeError:
        return set()


def lines(text: str, letters: int) -> list[str]:
    """The text in lines of at most so many letters, at least one; a Chinese character counts as two."""
    found, line, width = [], "", 0
    for piece in pieces(" ".join(text.split())):
        size = sum(1 + is_wide(char) for char in piece)
        if width + size > letters and line.strip() and piece not in "，。、！？":
            found.append(line.strip())
            line, width = "", 0
        line, width = line + piece, width + size
    return [*found, line.strip()]


def is_wide(char: str) -> bool:
    """Whether a character is as wide as two letters, as Chinese ones are."""
    return unicodedata.east_asian_width(char) in "WF"


def _preference(path: str) -> tuple[bool, bool, str]:
    name = path.rpartition("/")[2].lower()
    return any(word in name for word in ("bold", "black", "light", "thin", "mono", "serif")), "cjk" not in name, name
