"""What the pages say is so: links lead somewhere, commands and settings exist, both languages have the same."""

import re
import shlex
import tomllib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.docs import pages
from tuwen.cli.app import build_app
from tuwen.core.errors import RecipeError
from tuwen.core.rooms import names, parse_part
from tuwen.recipe.reading import read_value
from tuwen.recipe.schema import load_recipe

every_page = pytest.mark.parametrize("page", pages.ALL, ids=pages.name)
READMES = (pages.ROOT / "README.md", pages.ROOT / "README.zh-CN.md")


# Links


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in pages.links(page):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{target} is not there"
        assert not anchor or anchor in pages.anchors(file), f"{path} has no heading {anchor}"


@every_page
def test_a_chinese_page_leads_to_chinese_pages(page: Path) -> None:
    english = {twin: chinese for chinese, twin in pages.CHINESE.items()}
    if page in pages.CHINESE:
        targets = [(page.parent / target).resolve() for target in pages.links(page) if "://" not in target]
        assert [target for target in targets if target in english] == [pages.CHINESE[page]]


# Both languages


@pytest.mark.parametrize("chinese", pages.CHINESE, ids=pages.name)
def test_both_languages_have_the_same(chinese: Path) -> None:
    english = pages.CHINESE[chinese]
    assert outline(english) == outline(chinese)
    assert [without_comments(code) for code in pages.blocks(english)] == [
        without_comments(code) for code in pages.blocks(chinese)
    ]


def outline(page: Path) -> dict[str, Any]:
    """What a page consists of, whatever its language."""
    text = pages.prose(page)
    return {
        "headings": [depth for depth, _ in pages.headings(page)],
        "tables": [len(line.split("|")) for line in text.splitlines() if line.startswith("|")],
        "points": len(re.findall(r"^(?:-|\d\.) ", text, re.MULTILINE)),
        "pictures": [Path(file).name for file in re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text)],
    }


def without_comments(code: str) -> list[str]:
    """The lines of a block without what stands behind `#`, or behind a folder's name in a tree."""
    return [re.sub(r" *#.*|(?<=/) +.*", "", line) for line in code.splitlines()]


# Commands and settings


@every_page
def test_commands_exist(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for recipe in pages.blocks(page, "yaml")[:1]:
        Path("mine.yaml").write_text(recipe, encoding="utf-8")
    added = re.findall(r"^# tuwen/cli/(\w+)\.py$", pages.read(page), re.MULTILINE)
    for line in pages.command_lines(page, "tuwen"):
        if line.split()[1] in added:
            continue
        words = shlex.split(line)[1:]
        name, given = parse(words if len(words) > 1 else [*words, "--help"])  # a command that is only named
        if given.get("sets"):
            recipe = name if name == "quickstart" else given.get("recipe", "pretrain")
            load_recipe("pretrain" if str(recipe).startswith("runs/") else recipe, sets=given["sets"])


def parse(words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Parse a command line as the program would, and do nothing: the command's name, and what it would be given.

    Both are empty where it only asks for help.

    Raises:
        Exception: there is no such command, option or argument.
    """
    program = typer.main.get_command(build_app())
    called: list[tuple[str, dict[str, Any]]] = []
    waiting = [program]
    for command in waiting:
        waiting += getattr(command, "commands", {}).values()
        command.callback = partial(note, called, command.name) if not hasattr(command, "commands") else None
    program.main(list(words), "tuwen", standalone_mode=False)
    return called[0] if called else ("", {})


def note(called: list[tuple[str, dict[str, Any]]], name: str, **given: Any) -> None:
    """Stands in for a command."""
    called.append((name, given))


@every_page
def test_settings_exist(page: Path) -> None:
    for text in pages.quoted(page):
        if re.fullmatch(r"(data|image|tokenizer|model|train|evaluate)\.[a-z_.0-9]+=.*", text):
            check_setting(text.replace('"', ""))


def check_setting(text: str) -> None:
    """Refuse `a.b=c` where a recipe for one's own data has no key `a.b`, whatever kind of data it is.

    Raises:
        RecipeError: there is no such key.
    """
    key, _, value = text.partition("=")
    section, _, rest = key.partition(".")
    if section != "data":
        load_recipe("pretrain", sets=[text])
        return
    refusals = [refusal(kind, rest, value) for kind in names("data")]
    if all(refusals):
        raise RecipeError(refusals[0])


def refusal(kind: str, key: str, value: str) -> str:
    """What a data part says against one of its settings; nothing, where it is only others that are missing."""
    try:
        parse_part("data", {"kind": kind, key: read_value(value, key)})
    except RecipeError as error:
        return "".join(line for line in str(error).splitlines() if f".{key}" in line)
    return ""


@pytest.mark.parametrize(
    "line",
    ["quickstart --minutes 3", "dta check", "data chek", "recipe show a b", "pretrain --caption a.csv", "caption run"],
)
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises(Exception, match=r"No such|[Uu]nexpected extra|Missing"):
        parse(line.split())


@pytest.mark.parametrize("setting", ["train.step=3", "data.columns=[a]", "modle.image=null", "model.image.dpth=2"])
def test_a_setting_that_does_not_exist_is_noticed(setting: str) -> None:
    with pytest.raises(RecipeError, match="unknown key"):
        check_setting(setting)


@every_page
def test_make_and_examples_have_what_is_called(page: Path) -> None:
    rules = re.findall(r"^([\w-]+):", (pages.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for line in pages.command_lines(page, "make"):
        target, *settings = line.split()[1:]
        assert target in rules, line
        for claim in [word.removeprefix("NAME=") for word in settings if word.startswith("NAME=")]:
            assert claim == "…" or (pages.ROOT / "benchmarks" / "claims" / f"{claim}.py").exists(), line
    for line in pages.command_lines(page, "python"):
        assert (pages.ROOT / line.split()[1]).exists(), line


# Figures


@every_page
def test_a_figure_stands_beside_the_claim_that_measures_it(page: Path) -> None:
    figure = re.compile(
        r"\d ?(%|ms\b|/s\b|pairs\b|pictures a second|TFLOP|times (?:as )?(?:fast|faster))|\d 倍|每秒 ?\d"
    )
    for paragraph in re.split(r"\n\n|(?<=\|)\n(?=\|)", pages.prose(page)):
        if figure.search(paragraph):
            assert re.search(r"benchmarks/claims/\w+\.py|claims\.md", paragraph), paragraph


# The house


@pytest.mark.parametrize("page", READMES, ids=pages.name)
def test_the_tree_has_every_room(page: Path) -> None:
    rooms = {file.parent.relative_to(pages.ROOT).as_posix() for file in (pages.ROOT / "tuwen").rglob("__init__.py")}
    shown = set(re.findall(r"^  ([\w/]+)/ ", pages.read(page), re.MULTILINE))
    inside = re.compile(r"/_|^tuwen$|/towers$|/optimizers$")
    assert {f"tuwen/{room}" for room in shown} == {room for room in rooms if not inside.search(room)}


@pytest.mark.parametrize("page", ["docs/adding/README.md", "docs/zh/adding.md"])
def test_the_order_of_the_rooms_is_the_one_that_is_checked(page: str) -> None:
    project = tomllib.loads((pages.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]
    layers = [re.sub(r"\(.*?\)", "", layer) for layer in contract["layers"] if layer != "__main__"]
    order = " > ".join(", ".join(re.findall(r"\w+", layer)) for layer in layers)
    assert f"    {order}\n" in pages.read(pages.ROOT / page)
