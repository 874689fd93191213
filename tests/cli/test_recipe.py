"""`tuwen recipe list` and `tuwen recipe show`."""

from pathlib import Path

import pytest

from tuwen.cli.app import main
from tuwen.recipe.library import recipe_names
from tuwen.recipe.schema import load_recipe

RECIPE = "data: {kind: scenes}\nmodel: {image: {kind: vit}}\nobjectives: {}\ntasks: {}\ntrain: {steps: 10}\n"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(RECIPE)
    return "r.yaml"


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(["recipe", *words])
    assert stopped.value.code == 0
    return capsys.readouterr().out


def test_what_is_shown_is_the_same_recipe(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "show", recipe, "--set", "model.image.depth=2")
    assert "\x1b" not in text, "colours are for terminals"
    Path("again.yaml").write_text(text)
    assert load_recipe("again.yaml").recipe == load_recipe(recipe, sets=["model.image.depth=2"]).recipe


def test_origins_can_be_shown_or_left_out(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "show", recipe, "--set", "seed=3")
    origins = {line.split(":")[0]: line.split("# ")[1] for line in text.splitlines() if "# " in line}
    assert (origins["seed"], origins["  steps"], origins["  epochs"]) == ("--set", "r.yaml:5", "default")
    assert "#" not in shown(capsys, "show", recipe, "--no-origins")


def test_the_data_of_a_command_line_is_shown_with_its_origin(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos").mkdir()
    text = shown(capsys, "show", "pretrain", "--data", "photos", "--captions", "texts.csv")
    assert [line.split() for line in text.splitlines() if line.startswith(("  path:", "  captions:"))] == [
        ["path:", "photos", "#", "--data"],
        ["captions:", "texts.csv", "#", "--data"],
    ]


def test_new_data_replaces_all_that_a_run_says_of_the_old(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("run", "old", "photos"):
        Path(folder).mkdir()
    words = ("--data", "old", "--captions", "plain.csv", "--set", "data.caption_columns=[title]")
    Path("run/recipe.yaml").write_text(shown(capsys, "show", "pretrain", *words))
    Path("new.yaml").write_text(shown(capsys, "show", "run", "--data", "photos", "--set", "data.validation=0.2"))
    data = load_recipe("new.yaml").recipe.data
    given = {name: value for name, value in data.items() if value}
    assert given == {"kind": "folder", "path": "photos", "validation": 0.2}
    assert load_recipe("new.yaml").recipe.model == load_recipe("run").recipe.model


def test_a_wrong_recipe_is_a_message(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["recipe", "show", recipe, "--set", "train.step=3"])
    assert stopped.value.code == 1
    assert capsys.readouterr().err.startswith("--set: train.step: unknown key; known are ")


def test_the_list_describes_every_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "list").splitlines()
    assert [line.split()[0] for line in lines] == recipe_names()
    assert all(len(line.split()) > 3 for line in lines), "the first line of a recipe is a comment that says what it is"
