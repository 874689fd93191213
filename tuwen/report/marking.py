"""Small pieces of the page: pictures as data, words that differ, YAML in colour, durations."""

from __future__ import annotations

import base64
import difflib
import re
from collections.abc import Iterator

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from tuwen.report.examples import png
from tuwen.report.labels import Label

SIDE = 128
"""Length of a picture's longer side on the page, in CSS pixels."""

_PIECE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|\s+|[^\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_YAML_LINE = re.compile(r"^(?P<lead>\s*(?:- +)*)(?P<key>[\w.\-/]+)(?P<colon>:)(?P<rest>\s.*|)$")
_YAML_COMMENT = re.compile(r"(?P<before>^|.*?\s)(?P<comment>#.*)$")


def picture_tag(picture: NDArray[np.uint8]) -> Markup:
    """An `<img>` that holds its picture `[H, W, 3]`; a small one grows by a whole factor and keeps its pixels sharp."""
    height, width = picture.shape[:2]
    factor = SIDE / max(height, width)
    sharp = factor >= 2
    if sharp:
        factor = int(factor)
    data = base64.b64encode(png(picture)).decode()
    return Markup('<img alt="" width="{}" height="{}"{} src="data:image/png;base64,{}">').format(
        round(width * factor), round(height * factor), Markup(' class="sharp"') if sharp else "", data
    )


def pieces(text: str) -> list[str]:
    """Words, white space, and Chinese characters and kana one by one: where a line may break and what may differ."""
    return _PIECE.findall(text)


def differing_words(text: str, other: str) -> Iterator[tuple[str, bool]]:
    """`text` in pieces, each with whether `other` lacks it there. Chinese is compared by character."""
    ours, theirs = pieces(text), pieces(other)
    for kind, start, end, _, _ in difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if end > start:
            yield "".join(ours[start:end]), kind != "equal"


def highlight_yaml(text: str) -> Markup:
    """YAML with its keys and comments marked. It colours line by line and understands no more than that."""
    return Markup("\n").join(_yaml_line(line) for line in text.splitlines())


def _yaml_line(line: str) -> Markup:
    comment = Markup("")
    if found := _YAML_COMMENT.match(line):
        line, comment = found["before"], Markup("<i>{}</i>").format(found["comment"])
    if found := _YAML_LINE.match(line):
        return Markup("{}<b>{}</b>{}{}{}").format(found["lead"], found["key"], found["colon"], found["rest"], comment)
    return Markup("{}{}").format(line, comment)


def duration(seconds: float) -> Label:
    """`4 min 52 s`, in both languages."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return Label(f"{hours} h {minutes} min", f"{hours} 小时 {minutes} 分")
    if minutes:
        return Label(f"{minutes} min {rest} s", f"{minutes} 分 {rest} 秒")
    return Label(f"{seconds:.1f} s", f"{seconds:.1f} 秒")
