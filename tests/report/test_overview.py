import io

import numpy as np
import pytest
from PIL import Image

from tuwen.core.errors import DataError
from tuwen.report import fonts, overview
from tuwen.report.examples import AnswerExample, CaptionExample, Examples
from tuwen.report.overview import LETTERS, overview_figure


def picture(seed):
    return np.full((16, 16, 3), seed, dtype=np.uint8)


def some_examples():
    examples = Examples()
    split = examples.split("held_out")
    for seed in range(4):
        split.captions += [
            CaptionExample(picture(seed), "a red circle", "a red circle", True),
            CaptionExample(picture(seed), "红色的圆", "红色的圆", True),
        ]
    split.captions.append(CaptionExample(picture(9), "a red circle", "a blue circle", False))
    split.answers.append(AnswerExample(picture(0), "How many?", "2", "3", False, "count"))
    return examples


def drawn_texts(monkeypatch, examples, **options):
    """The texts of the figure, row by row, as they were handed to the drawing."""
    seen = {}
    real = overview._draw

    def spy(rows, columns, font, note):
        seen["rows"] = [[cell.text for cell in row] for row in rows]
        seen["note"] = note
        return real(rows, columns, font, note)

    monkeypatch.setattr(overview, "_draw", spy)
    data = overview_figure(examples, **options)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        assert len(image.getcolors(2**20)) > 10
    return seen


def test_without_a_chinese_font_it_draws_the_rest_and_says_so(monkeypatch):
    monkeypatch.setattr(fonts, "findSystemFonts", list)
    seen = drawn_texts(monkeypatch, some_examples())
    assert seen["rows"] == [["a red circle"] * 3 + ["a red circlea blue circle"], ["How many?23"]]
    assert "left out" in seen["note"]


def test_english_alone_leaves_nothing_out(monkeypatch):
    monkeypatch.setattr(fonts, "findSystemFonts", list)
    examples = some_examples()
    split = examples.splits["held_out"]
    split.captions = [one for one in split.captions if one.prediction.isascii()]
    assert drawn_texts(monkeypatch, examples, columns=2)["note"] == ""


def test_languages_take_turns_no_picture_twice_and_a_failure_last():
    def cell(seed, text, right=True):
        return overview.Cell(picture(seed), right, (overview.Line(text, overview.INK),))

    row = [
        cell(0, "a"),
        cell(0, "圆"),
        cell(1, "b"),
        cell(1, "方"),
        cell(2, "c"),
        cell(5, "x", False),
        cell(6, "y", False),
    ]
    assert [one.text for one in overview._pick(row, 4)] == ["a", "方", "c", "x"]
    assert [one.text for one in overview._pick(row, 6)] == ["a", "方", "c", "x", "y"]
    assert [one.text for one in overview._pick(row[:3], 2)] == ["a", "b"]


def test_lines_break_between_words_or_characters():
    lines = [line.text for line in overview._wrapped("a large orange outlined square and a small circle", overview.INK)]
    assert lines == ["a large orange outlined", "square and a small circle"]
    chinese = [line.text for line in overview._wrapped("一" * 20 + "，二", overview.INK)]
    assert chinese == ["一" * (LETTERS // 2), "一" * 6 + "，二"]


def test_nothing_to_draw_is_an_error():
    with pytest.raises(DataError, match="nothing to draw in 'tasks'; the examples have held_out"):
        overview_figure(some_examples(), split="tasks")
    with pytest.raises(DataError, match="no splits"):
        overview_figure(Examples())
