"""The code of the pages runs, and its shapes are those that the pages tell."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.docs import pages
from tuwen.core.errors import RecipeError
from tuwen.recipe.schema import load_recipe

RECIPES = pages.ROOT / "docs" / "recipes.md"
TOUR = pages.ROOT / "docs" / "how-it-works.md"
SMALL = ("tokenizer.sample=500", "train.batch_size=4", "train.precision=fp32")


@pytest.fixture
def clone(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a finished quickstart in it."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "quickstart").symlink_to(tiny_run)
    Image.new("RGB", (64, 64), "white").save(tiny_run / "scene.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("page", "name"), [("README.md", "similarity"), ("docs/pretrained.md", "piece")])
def test_the_python_of_a_page_runs(clone: Path, page: str, name: str) -> None:
    (code,) = pages.blocks(pages.ROOT / page, "python")
    names: dict[str, Any] = {}
    exec(compile(code, page, "exec"), names)
    assert name in names


@pytest.mark.parametrize("page", sorted((pages.ROOT / "docs").glob("*.md")), ids=pages.name)
def test_the_yaml_of_a_page_is_recipes(page: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "recipe.yaml").write_text(load_recipe("pretrain").to_yaml(), encoding="utf-8")
    for recipe in pages.blocks(page, "yaml"):
        (tmp_path / "mine.yaml").write_text(recipe, encoding="utf-8")
        assert load_recipe(tmp_path / "mine.yaml").recipe.model.image is not None


def test_the_tour_runs_and_its_shapes_are_right() -> None:
    names: dict[str, Any] = {"SMALL": SMALL}
    sizes: dict[str, int] = {}
    checked = 0
    for code in pages.blocks(TOUR, "python"):
        for line in code.replace('load_recipe("quickstart")', 'load_recipe("quickstart", sets=SMALL)').splitlines():
            exec(compile(line, TOUR.name, "exec"), names)
            if told := re.fullmatch(r"(.+\.shape)  # \[(.+)\]", line):
                check_shape(line, tuple(eval(told[1], names)), told[2].split(", "), sizes)
                checked += 1
    assert checked >= 14


def check_shape(line: str, shape: tuple[int, ...], letters: list[str], sizes: dict[str, int]) -> None:
    """A letter stands for the same number wherever it stands."""
    assert len(shape) == len(letters), line
    for letter, size in zip(letters, shape, strict=True):
        expected = int(letter) if letter.isdigit() else sizes.setdefault(letter, size)
        assert size == expected, f"{line}: {letter} was {expected}, is {size}"


def test_the_recipes_of_the_page_are_recipes(tmp_path: Path) -> None:
    whole, extending = pages.blocks(RECIPES, "yaml")
    (tmp_path / "whole.yaml").write_text(whole, encoding="utf-8")
    (tmp_path / "extending.yaml").write_text(extending, encoding="utf-8")
    assert load_recipe(tmp_path / "whole.yaml").recipe.train.steps == 500
    recipe = load_recipe(tmp_path / "extending.yaml").recipe
    assert recipe.model.fusion is not None
    assert recipe.model.text is not None
    assert (recipe.model.fusion["kind"], recipe.model.fusion["width"]) == ("concat", 128)
    assert (recipe.model.text["depth"], recipe.model.text["width"]) == (2, load_recipe().recipe.model.text["width"])  # type: ignore[index]
    assert "classify" not in recipe.tasks
    assert (recipe.train.minutes, recipe.train.epochs) == (None, 3)


def test_the_mistake_of_the_page_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = pages.blocks(RECIPES, "yaml")[0]
    Path("mine.yaml").write_text(whole.replace("depth: 3", "dpeth: 3"), encoding="utf-8")
    with pytest.raises(RecipeError) as refused:
        load_recipe("mine.yaml")
    assert str(refused.value) in pages.read(RECIPES)
