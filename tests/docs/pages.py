"""The pages, taken apart: prose, blocks of code, links, commands."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALL = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")])
CHINESE = {ROOT / "README.zh-CN.md": ROOT / "README.md"} | {
    page: next(twin for twin in (ROOT / "docs" / page.name, ROOT / "docs" / page.stem / "README.md") if twin.exists())
    for page in sorted((ROOT / "docs" / "zh").glob("*.md"))
}
"""Each Chinese page, and the English one that says the same."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def name(page: Path) -> str:
    """The page's path in a checkout."""
    return page.relative_to(ROOT).as_posix()


def read(page: Path) -> str:
    """The whole page."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str | None = None) -> list[str]:
    """The blocks of code of a page; of one language, or all."""
    found = [(match[1], match[2]) for match in _BLOCK.finditer(read(page))]
    return [code for kind, code in found if language in (None, kind)]


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return _BLOCK.sub("", read(page))


def quoted(page: Path) -> list[str]:
    """What stands in the text as `code`."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def links(page: Path) -> list[str]:
    """What the page links to, or shows: addresses, and paths from its folder."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def headings(page: Path) -> list[tuple[int, str]]:
    """The depth and the words of each heading."""
    return [(len(marks), words) for marks, words in re.findall(r"^(#+) (.*)$", prose(page), re.MULTILINE)]


def anchors(page: Path) -> set[str]:
    """The names by which a page's headings can be linked to."""
    return {re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-") for _, words in headings(page)}


def command_lines(page: Path, program: str) -> list[str]:
    """Every call of a program that a page shows, in a block, indented, or in the text."""
    shown = [line.strip() for block in blocks(page, "bash") for line in block.splitlines()]
    indented = re.findall(r"^    (\S.*)$", prose(page), re.MULTILINE)
    return [line for line in [*shown, *indented, *quoted(page)] if line.startswith(f"{program} ")]
