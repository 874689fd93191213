"""Chinese."""

from __future__ import annotations

from itertools import pairwise

from tuwen.data._scenes.language import Language, Noun, Words
from tuwen.data._scenes.world import Reference

WORDS: Words = {
    "small": ("小的", "小小的", "较小的"),
    "large": ("大的", "大大的", "较大的"),
    "red": ("红色",),
    "orange": ("橙色", "橘色"),
    "yellow": ("黄色",),
    "green": ("绿色",),
    "cyan": ("青色",),
    "blue": ("蓝色",),
    "purple": ("紫色",),
    "pink": ("粉色",),
    "brown": ("棕色", "褐色"),
    "black": ("黑色",),
    "solid": ("实心", "纯色"),
    "striped": ("条纹",),
    "dotted": ("波点", "圆点"),
    "outlined": ("空心", "镂空"),
    "circle": ("圆形", "正圆"),
    "square": ("正方形", "方块"),
    "triangle": ("三角形",),
    "star": ("五角星", "星形"),
    "cross": ("十字形", "十字"),
    "diamond": ("菱形",),
    "heart": ("心形", "爱心"),
    "semicircle": ("半圆形", "半圆"),
    "thing": ("物体",),
}


def phrase(adjectives: list[str], shape: str, after: str) -> str:
    """`一个大的红色条纹圆形`; what would follow the shape in English (`带条纹的`) comes first."""
    linked = [
        f"{word}的" if not word.endswith("的") and following.endswith("的") else word
        for word, following in pairwise([*adjectives, shape])
    ]
    return f"一个{after}{''.join(linked)}{shape}"


def noun(words: Words, reference: Reference) -> Noun:
    """`红色的圆形`, `一个红色的圆形`; definite and plural look like the bare noun."""
    size, colour, texture, shape = (words[value][0] if value else "" for value in reference)
    link = "的" if colour and not size and not texture else ""
    text = f"{size}{colour}{texture}{link}{shape or words['thing'][0]}"
    return Noun(text, f"一个{text}", text, text)


def join(phrases: list[str]) -> str:
    """`甲、乙和丙`."""
    return phrases[0] if len(phrases) == 1 else f"{'、'.join(phrases[:-1])}和{phrases[-1]}"


def split(text: str) -> list[str]:
    """The other way round."""
    return text.replace("和", "、").split("、")


_ANY = (
    "图中有{list}",
    "这张图里有{list}",
    "一张画着{list}的图片",
    "画面上是{list}",
    "可以看到{list}",
    "浅色背景上有{list}",
)
_SOME = ("从左到右依次是{list}", "从右到左依次是{reversed}", "自右向左有{reversed}")
_BESIDE = {"left": "左边", "right": "右边", "above": "上方", "below": "下方"}
CHINESE = Language(
    code="zh",
    words=WORDS,
    textures_after={"striped": ("带条纹的",), "dotted": ("带圆点的", "布满圆点的"), "outlined": ("只有轮廓的",)},
    adjective_orders=((0, 1, 2), (0, 2, 1), (1, 0, 2)),
    phrase=phrase,
    noun=noun,
    join=join,
    split=split,
    captions={
        1: (*_ANY, "只有{0}", "图中唯一的物体是{0}", "画面里只有{0}"),
        2: (
            *_ANY,
            *_SOME,
            "{0}在{1}的左边",
            "{1}在{0}的右边",
            "{0}位于{1}的左侧",
            "{1}位于{0}的右侧",
            "左边是{0}，右边是{1}",
            "右边是{1}，左边是{0}",
            "两个物体：{0}和{1}",
        ),
        3: (
            *_ANY,
            *_SOME,
            "左边是{0}，中间是{1}，右边是{2}",
            "{1}在左边的{0}和右边的{2}之间",
            "{0}在{1}的左边，最右边是{2}",
            "{2}在{1}的右边，最左边是{0}",
            "三个物体：{0}、{1}和{2}",
        ),
        4: (
            *_ANY,
            *_SOME,
            "最左边是{0}，接着是{1}和{2}，最右边是{3}",
            "左边的{0}和右边的{3}之间有{1}和{2}",
            "四个物体：{0}、{1}、{2}和{3}",
        ),
    },
    above=("{0}在{1}的上方", "{1}在{0}的下方", "{0}位于{1}上面", "{1}位于{0}下面", "上面是{0}，下面是{1}"),
    questions={
        "exists": ("图中有{a.the}吗？", "画面里有没有{a.the}？", "能看到{a.the}吗？"),
        "count": ("图中有几个{a.many}？", "一共有多少个{a.many}？", "{a.many}有几个？"),
        "colour": ("{a.the}是什么颜色？", "{a.the}的颜色是什么？", "{a.the}是哪种颜色的？"),
        "shape": ("{a.the}是什么形状？", "{a.the}的形状是什么？", "{a.the}是哪种形状的？"),
        "size": ("{a.the}是大的还是小的？", "{a.the}的大小是怎样的？", "{a.the}有多大？"),
        "texture": ("{a.the}是什么纹理？", "{a.the}的纹理是什么？", "{a.the}是怎样填充的？"),
        "compare_numbers": ("{a.many}比{b.many}多还是少？", "和{b.many}相比，{a.many}有多少？"),
        "compare_sizes": ("{a.the}比{b.the}大还是小？", "和{b.the}相比，{a.the}有多大？"),
        "horizontal": ("{a.the}在{b.the}的左边还是右边？", "{a.the}在{b.the}的哪一侧？"),
        "vertical": ("{a.the}在{b.the}的上方还是下方？", "{a.the}比{b.the}高还是低？"),
        "side": ("{a.the}在左边还是右边？", "{a.the}在图的哪一侧？"),
        "level": ("{a.the}在上面还是下面？", "{a.the}在图的上半部还是下半部？"),
        **{
            f"{side}_{asked}": (f"[{{a.the}}{where}的物体]是什么{word}？",)
            for side, where in _BESIDE.items()
            for asked, word in (("colour", "颜色"), ("shape", "形状"))
        },
        "leftmost_colour": ("[最左边的物体]是什么颜色？", "[最左侧物体]的颜色是什么？"),
        "rightmost_colour": ("[最右边的物体]是什么颜色？", "[最右侧物体]的颜色是什么？"),
        "leftmost_shape": ("[最左边的物体]是什么形状？", "[最左侧物体]的形状是什么？"),
        "rightmost_shape": ("[最右边的物体]是什么形状？", "[最右侧物体]的形状是什么？"),
        "topmost_colour": ("[最上面的物体]是什么颜色？", "[位置最高的物体]的颜色是什么？"),
        "bottommost_colour": ("[最下面的物体]是什么颜色？", "[位置最低的物体]的颜色是什么？"),
        "topmost_shape": ("[最上面的物体]是什么形状？", "[位置最高的物体]的形状是什么？"),
        "bottommost_shape": ("[最下面的物体]是什么形状？", "[位置最低的物体]的形状是什么？"),
    },
    answers={str(number): str(number) for number in range(5)}
    | {"yes": "是", "no": "否", "small": "小", "large": "大"}
    | {"left": "左边", "right": "右边", "above": "上方", "below": "下方", "top": "上面", "bottom": "下面"}
    | {"more": "更多", "fewer": "更少", "larger": "更大", "smaller": "更小", "equal": "一样"},
)
