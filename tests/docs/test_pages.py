"""What the pages say is so: links lead somewhere, commands exist, code runs, and both languages have the same."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from tuwen.cli.app import build_app
from tuwen.core.errors import RecipeError
from tuwen.recipe.schema import load_recipe

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")])
PAIRS = [
    ("README.md", "README.zh-CN.md"),
    ("docs/how-it-works.md", "docs/zh/how-it-works.md"),
    ("docs/my-data.md", "docs/zh/my-data.md"),
    ("docs/recipes.md", "docs/zh/recipes.md"),
]


def read(page: str | Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str | Path, language: str = r"\w*") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", read(page), re.DOTALL | re.MULTILINE)


def prose(page: str | Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", read(page), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The names by which a page's headings can be linked to."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(file), f"{path} has no heading {anchor}"


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_have_the_same(english: str, chinese: str) -> None:
    def shape(page: str) -> dict[str, Any]:
        text = prose(page)
        return {
            "headings": re.findall(r"^(#+) ", text, re.MULTILINE),
            "tables": [len(line.split("|")) for line in text.splitlines() if line.startswith("|")],
            "points": len(re.findall(r"^(?:-|\d\.) ", text, re.MULTILINE)),
            "pictures": re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text),
        }

    assert shape(english) == shape(chinese)

    def code(page: str) -> list[list[str]]:
        return [[re.sub(r" *#.*|(?<=/) +.*", "", line) for line in block.splitlines()] for block in blocks(page)]

    assert code(english) == code(chinese)
    assert re.search(r"[\u4e00-\u9fff]", prose(chinese))


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_tree_has_every_room(page: str) -> None:
    rooms = {file.parent.relative_to(ROOT).as_posix() for file in (ROOT / "tuwen").rglob("__init__.py")}
    shown = set(re.findall(r"^  ([\w/]+)/ ", read(page), re.MULTILINE))
    private = re.compile(r"/_|^tuwen$|/towers$|/optimizers$")
    assert {f"tuwen/{room}" for room in shown} == {room for room in rooms if not private.search(room)}


def commands(page: Path) -> list[str]:
    """Every call of `tuwen` that a page shows, in a block or in the text."""
    lines = [line.strip() for block in blocks(page, "bash") for line in block.splitlines()]
    return [line for line in lines + re.findall(r"`([^`\n]+)`", prose(page)) if line.startswith("tuwen ")]


def parse(words: list[str]) -> None:
    """Parse a command line as the program would, and do nothing.

    Raises:
        Exception: there is no such command, option or argument.
    """
    program = typer.main.get_command(build_app())
    waiting = [program]
    for command in waiting:
        waiting += getattr(command, "commands", {}).values()
        command.callback = None
    program.main(words, "tuwen", standalone_mode=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    for line in commands(page):
        parse(shlex.split(line)[1:])


def test_a_command_that_does_not_exist_is_noticed() -> None:
    for line in ("quickstart --minutes 3", "dta check", "data chek", "recipe show a b"):
        with pytest.raises(Exception, match="No such|[Uu]nexpected extra"):
            parse(line.split())


@pytest.fixture
def clone(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a finished quickstart in it."""
    from PIL import Image

    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "quickstart").symlink_to(tiny_run)
    Image.new("RGB", (64, 64), "white").save(tiny_run / "scene.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_python_of_the_readme_runs(page: str, clone: Path) -> None:
    (code,) = blocks(page, "python")
    names: dict[str, Any] = {}
    exec(compile(code, page, "exec"), names)
    assert names["similarity"].shape == (2, 1)


def test_the_tour_runs_and_its_shapes_are_right() -> None:
    names: dict[str, Any] = {}
    sizes: dict[str, int] = {}
    checked = 0
    for code in blocks("docs/how-it-works.md", "python"):
        for line in code.replace('load_recipe("quickstart")', 'load_recipe("quickstart", sets=SETS)').splitlines():
            names["SETS"] = ("tokenizer.sample=500", "train.batch_size=4", "train.precision=fp32")
            exec(compile(line, "tour", "exec"), names)
            told = re.fullmatch(r"(.+\.shape)  # \[(.+)\]", line)
            if told:
                shape = tuple(eval(told[1], names))
                letters = told[2].split(", ")
                assert len(shape) == len(letters), line
                for letter, size in zip(letters, shape, strict=True):
                    expected = int(letter) if letter.isdigit() else sizes.setdefault(letter, size)
                    assert size == expected, f"{line}: {letter} was {expected}, is {size}"
                checked += 1
    assert checked >= 14


def test_recipes_of_the_page_are_recipes(tmp_path: Path) -> None:
    whole, extending = blocks("docs/recipes.md", "yaml")
    (tmp_path / "whole.yaml").write_text(whole, encoding="utf-8")
    (tmp_path / "extending.yaml").write_text(extending, encoding="utf-8")
    assert load_recipe(tmp_path / "whole.yaml").recipe.train.steps == 500
    recipe = load_recipe(tmp_path / "extending.yaml").recipe
    assert recipe.model.fusion == {"kind": "concat", "width": 128, "dropout": 0.0}
    assert recipe.model.text is not None
    assert recipe.model.text["depth"] == 2
    assert "classify" not in recipe.tasks


def test_the_mistake_of_the_page_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = blocks("docs/recipes.md", "yaml")[0]
    Path("mine.yaml").write_text(whole.replace("depth: 3", "dpeth: 3"), encoding="utf-8")
    with pytest.raises(RecipeError) as refused:
        load_recipe("mine.yaml")
    assert str(refused.value) in read("docs/recipes.md")


@pytest.mark.parametrize("page", ["docs/adding/README.md", "docs/zh/adding.md"])
def test_the_order_of_the_rooms_is_the_one_that_is_checked(page: str) -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = [re.sub(r"\(.*?\)", "", layer) for layer in contracts[0]["layers"] if layer != "__main__"]
    order = " > ".join(", ".join(re.findall(r"\w+", layer)) for layer in layers)
    assert f"    {order}\n" in read(page)
