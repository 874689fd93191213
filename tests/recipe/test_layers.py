"""Recipe files that extend each other, and `--set`."""

from pathlib import Path

import pytest

from tuwen.core.errors import RecipeError
from tuwen.recipe.layers import read_file, read_sets
from tuwen.recipe.library import display, find_recipe, library, recipe_names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text("seed: 1\nmodel:\n  width: 8\n  depth: 2\n")
    return tmp_path


def test_a_recipe_lies_on_top_of_the_one_it_extends(folder: Path) -> None:
    (folder / "mine.yaml").write_text("extends: base.yaml\nmodel:\n  width: 16\n")
    setting = read_file(Path("mine.yaml"))
    assert setting.plain() == {"seed": 1, "model": {"width": 16, "depth": 2}}
    assert setting.find(("model", "width"))[0].origin == "mine.yaml:3"
    assert setting.find(("model", "depth"))[0].origin == "base.yaml:4"


def test_a_path_after_extends_is_taken_from_the_recipes_folder(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "mine.yaml").write_text("extends: ../base.yaml\n")
    assert read_file(folder / "deep" / "mine.yaml").plain()["seed"] == 1


def test_a_byte_order_mark_and_crlf_are_no_trouble(folder: Path) -> None:
    (folder / "dos.yaml").write_bytes("\ufeffseed: 2\r\nname: 图\r\n".encode())
    assert read_file(folder / "dos.yaml").plain() == {"seed": 2, "name": "图"}


def test_recipes_that_extend_each_other_are_refused(folder: Path) -> None:
    (folder / "a.yaml").write_text("extends: b.yaml\n")
    (folder / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(RecipeError, match=r"b.yaml:1: extends: .*in a circle: a.yaml → b.yaml → a.yaml"):
        read_file(Path("a.yaml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nextends: nothing\n", r"bad.yaml:2: extends: no recipe 'nothing'"),
        ("extends: [a, b]\n", r"bad.yaml:1: extends: name one recipe or file"),
        ("extends: 3\n", r"bad.yaml:1: extends: name one recipe or file, got 3"),
    ],
)
def test_a_bad_extends_is_told_with_its_line(folder: Path, text: str, message: str) -> None:
    (folder / "bad.yaml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        read_file(Path("bad.yaml"))


def test_a_file_that_is_not_text_is_told(folder: Path) -> None:
    (folder / "bad.yaml").write_bytes(b"seed: \xff\xfe")
    with pytest.raises(RecipeError, match="bad.yaml: not UTF-8"):
        read_file(Path("bad.yaml"))


def test_sets_build_one_layer_the_later_on_top() -> None:
    setting = read_sets(["a.b=1", "a.c=[x, 1e-3]", "a.b=2", "d=", "e=k=v", "f=图"])
    assert setting.plain() == {"a": {"b": 2, "c": ["x", 1e-3]}, "d": None, "e": "k=v", "f": "图"}
    assert setting.find(("a", "c", 1))[0].origin == "--set"


def test_sets_change_an_element_of_a_list(folder: Path) -> None:
    (folder / "mix.yaml").write_text("data: {kind: mixture, sources: [{kind: a, n: 1}, {kind: b, n: 2}]}\n")
    setting = read_sets(["data.sources.1.n=5"]).over(read_file(Path("mix.yaml")))
    assert setting.plain()["data"]["sources"] == [{"kind": "a", "n": 1}, {"kind": "b", "n": 5}]


@pytest.mark.parametrize("text", ["a.b", "=3", ".a=3", "a..b=3", ""])
def test_a_set_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="--set .*write a key and a value"):
        read_sets([text])


def test_a_set_whose_value_is_not_yaml_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"--set a=\[1:1: not valid YAML"):
        read_sets(["a=[1"])


def test_a_recipe_is_found_by_name_file_and_run_folder(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "recipe.yaml").write_text("seed: 3\n")
    assert find_recipe("base.yaml") == Path("base.yaml")
    assert find_recipe(folder / "base.yaml") == folder / "base.yaml"
    assert find_recipe("run") == Path("run/recipe.yaml")
    assert [find_recipe(name) for name in recipe_names()] == [library() / f"{name}.yaml" for name in recipe_names()]


def test_an_unknown_recipe_is_answered_with_the_names(folder: Path) -> None:
    with pytest.raises(RecipeError, match=r"no recipe 'quikstart': .*quickstart.*Did you mean 'quickstart'\?"):
        find_recipe("quikstart")


def test_files_are_shown_short(folder: Path) -> None:
    assert display(library() / "quickstart.yaml") == "recipes/quickstart.yaml"
    assert display(folder / "base.yaml") == "base.yaml"
    assert display(Path("/elsewhere/r.yaml")) == "/elsewhere/r.yaml"
