"""The contact sheet: some of the pictures as the model sees them, with what is said of them, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tuwen.check.pictures import Seen
from tuwen.core.sample import Sample
from tuwen.report.fonts import characters, find_font, is_wide, lines

COLUMNS, MOST = 8, 48
CELL, LINE, GAP, LETTERS, LINES = 176, 17, 14, 27, 4
"""Pixels: a picture's side, a line's height, the space between; letters in a line, lines below a picture."""
LANGUAGES = 2
"""Texts below a picture, each in a language of its own."""
PAPER, INK, SOFT = "#ffffff", "#1d1c1a", "#8a8378"


def contact_sheet(splits: dict[str, Sequence[Seen]], file: Path) -> None:
    """Write a PNG of pictures of each split, evenly spread, the larger splits with more."""
    chosen = [(split, one) for split, count in _shares(splits).items() for one in _evenly(splits[split], count)]
    texts = [_below(one.sample) for _, one in chosen]
    wide = any(is_wide(char) for below in texts for line in below for char in line)
    font = ImageFont.truetype(str(find_font(wide).get_file()), 12)
    known = characters(str(font.path))
    columns = max(1, min(COLUMNS, len(chosen)))
    height = CELL + LINE * (LINES + 1) + GAP
    sheet = Image.new("RGB", (columns * (CELL + GAP) + GAP, -(-len(chosen) // columns) * height + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, ((split, one), text) in enumerate(zip(chosen, texts, strict=True)):
        left, top = GAP + number % columns * (CELL + GAP), GAP + number // columns * height
        sheet.paste(_enlarged(one.pixels), (left, top))
        title = one.sample.key if split == "train" else f"{split}: {one.sample.key}"
        below = [(_shortened(title), SOFT), *((line, INK) for line in text)]
        for row, (line, colour) in enumerate(below):
            drawable = "".join(char if ord(char) in known else "?" for char in line)
            draw.text((left, top + CELL + 3 + row * LINE), drawable, fill=colour, font=font)
    sheet.save(file, "PNG")


def _shares(splits: dict[str, Sequence[Seen]]) -> dict[str, int]:
    """How many pictures of each split are shown: half as many of the others together as of all."""
    others = [name for name in splits if name != "train" and splits[name]]
    each = MOST // 4 // max(1, len(others))
    shown = {name: min(each, len(splits[name])) for name in others}
    return {"train": min(MOST - sum(shown.values()), len(splits["train"])), **shown}


def _evenly(seen: Sequence[Seen], count: int) -> list[Seen]:
    return [seen[number * len(seen) // count] for number in range(count)]


def _below(sample: Sample) -> list[str]:
    """What is said of a sample, in a few lines: a caption in each language, else a question, else the label."""
    captions = {caption.language: caption.text for caption in reversed(sample.captions)}
    said = [captions[language] for language in dict.fromkeys(caption.language for caption in sample.captions)]
    if not said and sample.questions:
        said = [f"{sample.questions[0].text} {sample.questions[0].answer}"]
    said = said[:LANGUAGES] or [sample.label or ""]
    return [line for text in said for line in _cut(lines(text, LETTERS), LINES // len(said))]


def _cut(text: list[str], most: int) -> list[str]:
    return text if len(text) <= most else [*text[: most - 1], text[most - 1] + "…"]


def _enlarged(pixels: np.ndarray) -> Image.Image:
    """The model's square at the size of a cell; pixels stay sharp where it is smaller."""
    sharp = len(pixels) <= CELL
    return Image.fromarray(pixels).resize((CELL, CELL), Image.Resampling.NEAREST if sharp else Image.Resampling.LANCZOS)


def _shortened(text: str) -> str:
    """The end of a long name, which tells more than its beginning."""
    width = sum(1 + is_wide(char) for char in text)
    while width > LETTERS:
        width -= 1 + is_wide(text[0])
        text = text[1:]
    return text
