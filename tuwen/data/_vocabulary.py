"""What people call the columns of their tables, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


IMAGE = _words("image img picture photo pic file filename filepath path jpg png 图片 图像 照片 文件 路径 图")
CAPTION = _words(
    "caption captions text texts title titles sentence sentences description descriptions alt name names comment raw "
    "prompt txt 标题 描述 说明 文字 文本 字幕 文案 名称 名字 配文 图说"
)
QUESTION = _words("question questions query user human instruction 问题 提问")
ANSWER = _words("answer answers assistant gpt response 答案 回答")
LABEL = _words("label labels class classes category categories target classname cls 标签 类别 分类")
TAGS = _words("tag tags keyword keywords 关键词 关键字")
SPLIT = _words("split splits subset partition 划分 分割 集合")
KIND = _words("kind type 类型")
NEVER = _words(
    "id ids url urls uri link width height size hash md5 sha index score number license source date "
    "编号 序号 链接 网址 日期 来源 许可"
)
"""A column with such a word in its name is not guessed to mean anything."""

TURNS = (("from", "value"), ("role", "content"), ("role", "content.text"))
"""What the turns of a conversation are called: who speaks, and what is said."""

ASKING = _words("human user 用户")
ANSWERING = _words("gpt assistant 助手")
SILENT = _words("system 系统")
"""Who speaks in conversations; what the last of them says is about the conversation, and not a part of it."""

LANGUAGES = {code: code for code in _words("en zh ja ko fr de es ar hi ru pt it nl pl tr vi th uk")} | {
    "english": "en",
    "chinese": "zh",
    "cn": "zh",
    "hans": "zh",
    "hant": "zh",
    "英文": "en",
    "英语": "en",
    "中文": "zh",
    "汉语": "zh",
    "日文": "ja",
}
"""How the names of columns tell the language of what is in them."""

SPLIT_NAMES = {
    alias: name
    for name, aliases in {
        "train": _words("train training trn restval 训练 训练集"),
        "validation": _words("validation valid val dev 验证 验证集"),
        "test": _words("test testing tst 测试 测试集"),
        "held_out": _words("held_out heldout held-out holdout 留出"),
    }.items()
    for alias in aliases
}
"""What people call the splits, and what they are called here."""


def unmatched(name: str, known: Sequence[str]) -> int | None:
    """How many words of a column's name are not among those known; None where all are not.

    `imagePath`, `image_path` and `image.path` have the same two words. Chinese writes without spaces: what is left of a
    name without the known words counts as one.
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    matched, left = 0, 0
    for word in re.findall(r"[^\W_]+", spaced):
        rest = re.sub("|".join(re.escape(term) for term in known if not term.isascii()) or r"\Z", "", word)
        whole = word.rstrip("0123456789") in known
        matched += whole or rest != word
        left += bool(rest) and not whole
    return left if matched else None


def language_called(name: str) -> str:
    """The code of a language that someone names: `zh` for `zh-CN`, `Chinese` and `中文`; any other code as it is.

    Raises:
        ValueError: it is neither a name that is known nor a code.
    """
    words = re.findall(r"[^\W_]+", name.lower())
    known = [LANGUAGES[word] for word in words if word in LANGUAGES]
    known += [code for word, code in LANGUAGES.items() if not word.isascii() and word in name]
    known += [_LONG_CODES.get(word, word) for word in words[:1] if re.fullmatch("[a-z]{2,3}", word)]
    if not known:
        codes = ", ".join(sorted(set(LANGUAGES.values())))
        raise ValueError(f"no language is called {name!r}; say its code, such as {codes}")
    return known[0]


_LONG_CODES = {"eng": "en", "zho": "zh", "chi": "zh", "cmn": "zh"}


def language_of(name: str) -> str | None:
    """The language that a column's name tells: `caption_en`, `names.zh`, `zh.txt`, `中文标题`."""
    words = re.findall(r"[^\W_]+", name.lower().removesuffix(".txt"))
    if words and words[-1] in LANGUAGES:
        return LANGUAGES[words[-1]]
    return next((code for word, code in LANGUAGES.items() if not word.isascii() and word in name), None)
