import numpy as np
import pytest

from tuwen.report.marking import differing_words, duration, highlight_yaml, picture_tag


def test_words_that_differ():
    assert list(differing_words("a small red circle", "a large red circle")) == [
        ("a ", False), ("small", True), (" red circle", False),
    ]  # fmt: skip
    assert list(differing_words("红色的圆", "红色的方")) == [("红色的", False), ("圆", True)]
    assert list(differing_words("same", "same")) == [("same", False)]
    assert list(differing_words("", "all")) == []


@pytest.mark.parametrize(
    ("side", "width", "sharp"), [(64, 128, True), (48, 96, True), (8, 128, True), (100, 128, False), (256, 128, False)]
)
def test_small_pictures_grow_by_whole_factors(side, width, sharp):
    tag = picture_tag(np.zeros((side, side // 2, 3), dtype=np.uint8))
    assert f'width="{width // 2}" height="{width}"' in tag
    assert ('class="sharp"' in tag) == sharp


def test_yaml_is_marked_and_never_lost():
    assert highlight_yaml("a: 1 # one\n- b.c:\n  url: x#y\n# all\nplain <b>") == (
        "<b>a</b>: 1 <i># one</i>\n- <b>b.c</b>:\n  <b>url</b>: x#y\n<i># all</i>\nplain &lt;b&gt;"
    )


def test_durations():
    assert duration(8.25) == ("8.2 s", "8.2 秒")
    assert duration(291.6) == ("4 min 52 s", "4 分 52 秒")
    assert duration(7322) == ("2 h 2 min", "2 小时 2 分")
    assert duration(59.7) == ("1 min 0 s", "1 分 0 秒")
