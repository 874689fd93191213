"""A grid of runs: which there are, what is trained again, and what a failure does. Nothing is trained here."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tuwen.core.errors import RecipeError
from tuwen.recipe.schema import load_recipe
from tuwen.recipe.sweep import Planned, RunFailed, SweepConfig, finished, plan, read_sweep, sweep
from tuwen.report.examples import Examples, Tally

ROOT = Path(__file__).parents[2]
GRID = {"model.fusion": [{"kind": "add", "width": 64}, {"kind": "concat"}], "train.steps": [5]}
CONFIG = SweepConfig(recipe="quickstart", set={"train.minutes": None}, grid=GRID, seeds=(3, 4))


class Trainer:
    """Writes what a training would leave, with figures that depend on the recipe.

    fail: runs that fail, without: runs that leave grounding out, by how their name begins.
    """

    def __init__(self, fail: str = "", without: str = " ") -> None:
        self.trained: list[str] = []
        self.fail, self.without = fail, without

    def __call__(self, recipe: Path, run: Path) -> None:
        self.trained.append(run.name)
        if self.fail and run.name.startswith(self.fail):
            raise RunFailed("the loss is not finite")
        found = load_recipe(recipe).recipe
        left_out = ["objectives.grounding=null"] if run.name.startswith(self.without) else []
        run.mkdir(parents=True)
        accuracy = 0.5 + found.train.steps / 100 + found.seed / 1000 if found.train.steps else 0.0
        metrics = {
            "parameters": 1000,
            "pairs_per_second": 50.0,
            "train_seconds": 2.0,
            "tasks": {"vqa": {"accuracy": accuracy, "floor": 0.4, "count": 10}},
        }
        (run / "metrics.json").write_text(json.dumps(metrics))
        (run / "recipe.yaml").write_text(load_recipe(recipe, sets=left_out).to_yaml(origins=False))
        (run / "manifest.json").write_text("{}")
        examples = Examples()
        examples.split("tasks").tallies["vqa_by_kind"] = {"relation": Tally(6, 8, 0.5)}
        examples.save(run)


def test_every_place_has_a_run_for_each_seed() -> None:
    runs = plan(CONFIG)
    places = [("add width=64", "5"), ("concat", "5")]
    assert [(run.labels, run.seed) for run in runs] == [(place, seed) for place in places for seed in (3, 4)]
    recipe = runs[-1].resolved.recipe
    assert recipe.model.fusion is not None
    assert (recipe.model.fusion["kind"], recipe.train.steps, recipe.seed, recipe.train.seed) == ("concat", 5, 4, 4)
    assert recipe.model.text == load_recipe("quickstart").recipe.model.text
    assert len({run.name for run in runs}) == 4
    assert runs[0].name.startswith("add_width=64-5-seed3-")


def test_a_place_may_change_several_settings() -> None:
    towers = {"small": {"train.steps": 5, "image.size": 32}, "large": {"train.steps": 9}}
    runs = plan(SweepConfig(recipe="quickstart", set=CONFIG.set, grid={"tower": towers}))
    assert [(run.labels, run.resolved.recipe.train.steps) for run in runs] == [(("small",), 5), (("large",), 9)]
    assert runs[0].resolved.recipe.image.size == 32


def test_only_what_is_not_there_is_trained(tmp_path: Path) -> None:
    first, again, more = Trainer(), Trainer(), Trainer()
    before = sweep(CONFIG, tmp_path, first)
    assert len(first.trained) == 4
    assert sweep(CONFIG, tmp_path, again) == before
    assert again.trained == []
    grown = CONFIG.model_copy(update={"seeds": (3, 4, 5)})
    assert len(sweep(grown, tmp_path, more).runs) == 6
    assert len(more.trained) == 2
    changed = CONFIG.model_copy(update={"set": {"train.minutes": None, "train.batch_size": 7}})
    sweep(changed, tmp_path, other := Trainer())
    assert len(other.trained) == 4, "another recipe is another run"


def test_a_failure_does_not_stop_the_others_and_is_tried_again(tmp_path: Path) -> None:
    heard: list[tuple[int, int, str]] = []

    def tell(run: Planned, number: int, count: int, said: str) -> None:
        heard.append((number, count, said))

    found = sweep(CONFIG, tmp_path, Trainer(fail="concat-5-seed3"), tell)
    assert [run.error for run in found.runs].count(None) == 3
    assert (3, 4, "the loss is not finite") in heard
    assert "- failed: concat, 5, seed 3: the loss is not finite" in (tmp_path / "sweep.md").read_text()
    sweep(CONFIG, tmp_path, repaired := Trainer())
    assert [name.rpartition("-")[0] for name in repaired.trained] == ["concat-5-seed3"]
    assert "failed" not in (tmp_path / "sweep.md").read_text()


def test_what_only_some_places_are_trained_by_is_told(tmp_path: Path) -> None:
    sweep(CONFIG, tmp_path, Trainer(without="concat"))
    assert "- trained without grounding: concat, 5\n" in (tmp_path / "sweep.md").read_text()
    sweep(CONFIG, tmp_path / "alike", Trainer())
    assert "trained without" not in (tmp_path / "alike" / "sweep.md").read_text()


def test_a_run_that_was_cut_is_not_taken_for_one_that_ended(tmp_path: Path) -> None:
    sweep(CONFIG, tmp_path, Trainer())
    cut = next(run for run in tmp_path.iterdir() if finished(run))
    (cut / "metrics.json").unlink()
    assert not finished(cut)


def test_figures_are_the_headlines_or_those_that_are_named(tmp_path: Path) -> None:
    found = sweep(CONFIG, tmp_path, Trainer())
    assert found.figures == ("tasks.vqa.accuracy",)
    run = found.runs[0]
    assert run.values["tasks.vqa.accuracy"] == pytest.approx(0.553)
    assert (run.floors["tasks.vqa.accuracy"], run.facts["parameters"]) == (0.4, 1000)
    named = CONFIG.model_copy(update={"measure": ("tasks.vqa_by_kind.relation",)})
    assert sweep(named, tmp_path, Trainer()).runs[0].values["tasks.vqa_by_kind.relation"] == 0.75
    wrong = CONFIG.model_copy(update={"measure": ("tasks.vqa.acuracy",)})
    with pytest.raises(RecipeError, match=r"no figure 'tasks.vqa.acuracy'; there are: tasks.vqa.accuracy"):
        sweep(wrong, tmp_path, Trainer())


def test_a_wrong_place_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    trainer = Trainer()
    with pytest.raises(RecipeError, match="no part .sum. in fusion"):
        sweep(SweepConfig(recipe="quickstart", grid={"model.fusion.kind": ["add", "sum"]}), tmp_path, trainer)
    assert trainer.trained == []


@pytest.mark.parametrize(
    ("grid", "seeds", "told"),
    [
        ({"train.steps": [1, 1.0]}, (0,), "1.0, seed 0 is the same run as 1, seed 0"),
        ({"a": {"x": {"train.steps": 5}, "y": {"train.steps": 5}}}, (0,), "y, seed 0 is the same run as x, seed 0"),
        ({"train.steps": [5]}, (1, 1), "5, seed 1 is the same run as 5, seed 1"),
    ],
)
def test_no_run_counts_twice(grid: dict[str, Any], seeds: tuple[int, ...], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        plan(SweepConfig(recipe="quickstart", grid=grid, seeds=seeds))


@pytest.mark.parametrize("values", ["gru", 3, {"small": 3}])
def test_an_axis_has_several_values(values: Any) -> None:
    with pytest.raises(ValueError, match="the axis 'x' has .*, not several values: write a list"):
        SweepConfig(recipe="quickstart", grid={"x": values})


def test_a_length_takes_the_place_of_the_recipes() -> None:
    (run,) = plan(SweepConfig(recipe="quickstart", grid={"train.steps": [5]}))
    assert (run.resolved.recipe.train.steps, run.resolved.recipe.train.minutes) == (5, None)


def test_a_file_says_the_same_and_finds_a_recipe_beside_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: quickstart\ntrain: {minutes: null, steps: 4}\n")
    file = tmp_path / "mine.yaml"
    file.write_text("recipe: base.yaml\ngrid:\n  model.fusion.kind: [add, mean]\nseeds: [1]\n")
    runs = plan(read_sweep(file))
    assert [(run.labels, run.resolved.recipe.train.steps) for run in runs] == [(("add",), 4), (("mean",), 4)]
    file.write_text("recipe: base.yaml\ngird: {}\n")
    with pytest.raises(RecipeError, match=r"mine.yaml:2: gird: unknown key; .* Did you mean 'grid'\?"):
        read_sweep(file)
    file.write_text("recipe: base.yaml\ngrid: {train.steps: []}\n")
    with pytest.raises(RecipeError, match="the axis 'train.steps' has no value"):
        read_sweep(file)
    with pytest.raises(RecipeError, match="cannot be read .* name a sweep's file, or a recipe and --grid"):
        read_sweep(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", ["fusion", "fusion_nlvr"])
def test_the_claims_sweeps_are_four_fusions_with_three_seeds(name: str) -> None:
    config = read_sweep(ROOT / "benchmarks" / "claims" / f"{name}.yaml")
    changed = {"data.path": "."} if name == "fusion_nlvr" else {}
    runs = plan(config.model_copy(update={"set": config.set | changed}))
    assert len(runs) == 12
    assert {run.resolved.recipe.model.fusion["kind"] for run in runs if run.resolved.recipe.model.fusion} == {
        "add", "mean", "concat", "cross_attention",
    }  # fmt: skip


def test_the_sweep_of_the_page_is_a_sweep(tmp_path: Path) -> None:
    (text,) = re.findall(r"```\n(recipe: .*?)```", (ROOT / "docs" / "sweep.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "sweep.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text("extends: quickstart\nmodel: {image: {kind: vit}}\n")
    runs = plan(read_sweep(tmp_path / "sweep.yaml"))
    assert len(runs) == 2 * 2 * 3
    assert {run.labels for run in runs} == {
        (text, tower) for text in ("gru", "transformer") for tower in ("small", "large")
    }
