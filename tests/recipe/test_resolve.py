"""A recipe is checked, completed and written out so that it reads back the same."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import PartConfig, PartOf, PartSpec
from tuwen.recipe.layers import read_sets
from tuwen.recipe.library import recipe_names
from tuwen.recipe.reading import read_yaml
from tuwen.recipe.resolve import Resolved, resolve
from tuwen.recipe.schema import Recipe, load_recipe
from tuwen.recipe.settings import Setting


class Small(PartConfig):
    seed: int = 0
    rate: float = Field(default=1e-5, gt=0)
    sizes: tuple[int, int] = (1, 2)
    tower: Annotated[PartSpec, PartOf("towers.image")] | None = None
    mixture: list[PartSpec] = []
    names: dict[str, str] = {}


TEXT = """\
seed: 7
tower: {kind: vit, depth: 3}
mixture:
  - {kind: a, n: 1}
  - kind: b
names:
  zh: 图文
"""

RECIPE = """\
data: {kind: scenes}
model:
  image: {kind: vit}
  text: {kind: transformer}
  embedding: 32
objectives:
  contrastive: {weight: 0.5}
  pairs: {kind: sigmoid}
tasks: {}
train: {steps: 10}
"""


def small(text: str = TEXT, *sets: str) -> Resolved[Small]:
    return resolve(Small, read_sets(sets).over(read_yaml(text, "r.yaml")))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(RECIPE)
    return Path("r.yaml")


def test_the_resolved_recipe_reads_back_the_same() -> None:
    resolved = small(TEXT, "rate=2e-7", "names.en=no")
    for text in (resolved.to_yaml(), resolved.to_yaml(origins=False)):
        again = resolve(Small, read_yaml(text, "again.yaml"))
        assert again.recipe == resolved.recipe
        assert again.to_yaml(origins=False) == resolved.to_yaml(origins=False)


def test_each_value_says_where_it_came_from() -> None:
    shown = small(TEXT, "sizes=[3, 4]", "mixture.0.n=2").to_yaml().splitlines()
    comments = {line.split("  # ")[0].strip(): line.split("  # ")[1] for line in shown if "  # " in line}
    assert comments["seed: 7"] == "r.yaml:1"
    assert comments["rate: 1.0e-05"] == "default"
    assert comments["sizes: [3, 4]"] == "--set"
    assert comments["depth: 3"] == "r.yaml:2"
    assert comments["width: 192"] == "default"
    assert comments["n: 2"] == "--set"
    assert comments["- kind: b"] == "r.yaml:5"
    assert comments["zh: 图文"] == "r.yaml:7"


def test_blocks_are_laid_out_like_a_handwritten_recipe() -> None:
    shown = small().to_yaml(origins=False)
    assert "mixture:\n  - kind: a\n    n: 1\n  - kind: b\nnames:\n  zh: 图文\n" in shown
    assert shown.startswith("seed: 7\nrate: 1.0e-05\nsizes: [1, 2]\ntower:\n  kind: vit\n")


@pytest.mark.parametrize(
    ("text", "sets", "message"),
    [
        ("sead: 1\n", [], "r.yaml:1: sead: unknown key; known are .*Did you mean 'seed'?"),
        ("seed: 1\nrate: -1\n", [], "r.yaml:2: rate: input should be greater than 0, got -1"),
        ("tower:\n  kind: vit\n  dpeth: 1\n", [], r"r.yaml:3: tower.dpeth: unknown key"),
        ("tower:\n  kind: vti\n", [], r"r.yaml:1: tower: no part 'vti'"),
        ("mixture:\n  - {kind: a}\n  - 3\n", [], "r.yaml:3: mixture.1: input should be a valid dictionary, got 3"),
        ("seed: 1\n", ["rate=fast"], "--set: rate: input should be a valid number"),
        ("seed: 1\n", ["tower.dpeth=3"], "--set: tower: say which part with `kind:`"),
    ],
)
def test_a_fault_is_told_with_its_place(text: str, sets: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        small(text, *sets)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(RecipeError) as error:
        small("sead: 1\nrate: 0\ntower: {kind: vit, dpeth: 1}\n")
    assert [line.split(": ")[:2] for line in str(error.value).splitlines()] == [
        ["r.yaml:1", "sead"],
        ["r.yaml:2", "rate"],
        ["r.yaml:3", "tower.dpeth"],
    ]


def test_a_recipe_is_typed_and_complete(file: Path) -> None:
    recipe = load_recipe(file, sets=["model.image.depth=2"]).recipe
    assert recipe.model.image is not None
    assert recipe.model.image["depth"] == 2
    assert recipe.train.steps == 10
    assert recipe.objectives["contrastive"]["weight"] == 0.5
    assert {name: part["kind"] for name, part in recipe.objectives.items()} == {
        "contrastive": "contrastive",
        "pairs": "sigmoid",
    }


def test_options_lie_between_the_file_and_set(file: Path) -> None:
    option = Setting.given({"data": {"kind": "scenes", "size": 48, "seed": 5}, "seed": 1}, "--data")
    resolved = load_recipe(file, options=[option], sets=["data.seed=6"])
    assert (resolved.recipe.data["size"], resolved.recipe.data["seed"], resolved.recipe.seed) == (48, 6, 1)
    assert [resolved.origin(("data", key)) for key in ("size", "seed", "languages")] == ["--data", "--set", "default"]


@pytest.mark.parametrize(
    ("sets", "length"),
    [
        (["train.steps=3"], (3, None, None)),
        (["train.steps=3", "train.minutes=2"], (None, None, 2)),
        (["train={epochs: 4}"], (None, 4, None)),
        (["train.minutes=null", "train.steps=3"], (3, None, None)),
    ],
)
def test_the_last_length_given_replaces_the_others(sets: list[str], length: tuple[object, ...]) -> None:
    train = load_recipe("pretrain", sets=sets).recipe.train
    assert (train.steps, train.epochs, train.minutes) == length


def test_null_takes_out_what_the_extended_recipe_has(file: Path) -> None:
    Path("mine.yaml").write_text("extends: r.yaml\nobjectives:\n  pairs: null\n  captioning: {}\n")
    assert list(load_recipe("mine.yaml").recipe.objectives) == ["contrastive", "captioning"]


def test_null_takes_out_heads_and_adapters(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: pretrain\nmodel: {heads: {match: null}, lora: {image: null, text: {rank: 4}}}\n")
    model = load_recipe(mine, sets=["objectives.matching=null"]).recipe.model
    assert model.heads.keys() == {"label", "tags"}
    assert model.lora.keys() == {"text"}


def test_what_is_missing_is_told_with_the_file(file: Path) -> None:
    file.write_text("seed: 1\n")
    with pytest.raises(RecipeError) as error:
        load_recipe(file)
    assert {"r.yaml:1: data: is missing", "r.yaml:1: model: is missing"} <= set(str(error.value).splitlines())


def test_a_recipe_reads_back_the_same_from_its_own_print(file: Path) -> None:
    resolved = load_recipe(file)
    Path("again.yaml").write_text(resolved.to_yaml())
    assert load_recipe("again.yaml").recipe == resolved.recipe


def test_every_recipe_of_the_library_resolves_and_reads_back(tmp_path: Path) -> None:
    again = tmp_path / "again.yaml"
    seen: dict[str, Any] = {}
    for name in recipe_names():
        seen[name] = load_recipe(name).recipe
        again.write_text(load_recipe(name).to_yaml())
        assert load_recipe(again).recipe == seen[name], name
        assert isinstance(seen[name], Recipe)
    assert "quickstart" in seen
