"""One tiny recipe from end to end: trained, saved, loaded, asked, evaluated again; its losses never change unseen."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import tuwen
from tests import tiny
from tuwen.core.errors import CheckpointError, RecipeError
from tuwen.core.sample import Picture
from tuwen.recipe.model_folder import ModelFolder
from tuwen.recipe.run import Finished, evaluate_run, load_run, pretrain
from tuwen.recipe.schema import load_recipe
from tuwen.recipe.use import Model
from tuwen.train.events import Listener, StepReport

RECIPE: dict[str, Any] = {
    "data": {"kind": "scenes", "size": 32, "objects": [1, 2], "holdout": 0.2},
    "image": {"size": 32},
    "tokenizer": {"vocab_size": 400, "max_length": 40, "sample": 200},
    "model": {
        "image": {"kind": "cnn", "stem": 4, "channels": [16, 24], "blocks": [1, 1]},
        "text": {"kind": "transformer", "width": 24, "depth": 1, "heads": 2},
        "fusion": {"kind": "cross_attention", "width": 24, "depth": 1, "heads": 2},
        "language": {"kind": "gpt", "width": 24, "depth": 1, "heads": 2},
        "prefix": {"merge": 2},
        "embedding": 16,
        "heads": {
            "match": {"reads": "fused", "classes": 2},
            "mask": {"reads": "fused", "classes": "vocabulary"},
            "answer": {"reads": "fused", "classes": "answers"},
        },
    },
    "tasks": {
        "caption": {"max_tokens": 8},
        "vqa": {"by": "words", "max_tokens": 4},
        "choose": {"kind": "vqa", "by": "head"},
        "retrieve": {"candidates": 10},
        "classify": {},
    },
    "objectives": {
        "contrastive": {},
        "matching": {"weight": 0.5},
        "captioning": {},
        "masked_lm": {},
        "joint": {"members": {"answers": {"kind": "classification", "head": "answer", "stream": "choose"}}},
    },
    "train": {
        "steps": 5,
        "batch_size": 4,
        "learning_rate": 1e-3,
        "precision": "fp32",
        "compile": False,
        "log_every": 1,
    },
    "evaluate": {"samples": 10},
}

GOLDEN = [18.07587, 19.60123, 19.17085, 18.58073, 17.71447]
"""The total loss of the first five steps. Change it only with a change that is meant to change what is trained."""


class Curve(Listener):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.reports: list[StepReport] = []

    def on_step(self, report: StepReport) -> None:
        self.reports.append(report)


@pytest.fixture(scope="module")
def curve() -> Curve:
    return Curve()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, curve: Curve) -> Finished:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    return pretrain(load_recipe(folder / "tiny.yaml"), folder / "run", listeners=[curve], asked={"tasks": {}})


@pytest.fixture(scope="module")
def run(finished: Finished) -> Path:
    return finished.result.checkpoint.parents[1]


def pictures() -> list[Picture]:
    return [sample.image for sample in tiny.scenes()["test"] if sample.image is not None][:6]


def test_the_losses_are_those_that_they_always_were(finished: Finished, curve: Curve) -> None:
    assert [report.step for report in curve.reports] == [1, 2, 3, 4, 5]
    assert [report.loss for report in curve.reports] == pytest.approx(GOLDEN, abs=1e-4)
    assert set(curve.reports[0].losses) == {"contrastive", "matching", "captioning", "masked_lm", "joint/answers"}
    assert all(np.isfinite([*report.parts.values(), report.gradient_norm]).all() for report in curve.reports)


def test_the_folder_is_complete(finished: Finished, run: Path) -> None:
    assert {path.name for path in run.iterdir()} >= {
        "checkpoints",
        "examples.json",
        "manifest.json",
        "metrics.json",
        "model.safetensors",
        "preprocessing.json",
        "recipe.yaml",
        "report.html",
        "tokenizer.json",
        "vocabulary.json",
    }
    assert finished.result.finished
    assert finished.report == run / "report.html"
    assert load_recipe(run).recipe == finished.system.recipe


def test_the_figures_stand_in_metrics_json(finished: Finished, run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["train_seconds"] > 0
    assert metrics["pairs_per_second"] > 0
    assert metrics["asked"] == {"tasks": {}}
    assert metrics["parameters"] == sum(p.numel() for p in finished.system.model.parameters())
    for place in ("tasks", "held_out"):
        found = metrics[place]
        assert set(found) == {"caption", "vqa", "choose", "retrieve", "classify"}
        assert {"exact_match", "cider"} <= found["caption"].keys()
        assert {"accuracy", "floor"} <= found["vqa"].keys() & found["choose"].keys()
        assert {"image_to_text_r1", "text_to_image_r1", "candidates"} <= found["retrieve"].keys()
        assert {"zero_shot_accuracy", "floor"} <= found["classify"].keys()


def test_the_loaded_model_is_the_trained_one(finished: Finished, run: Path) -> None:
    loaded, trained = tuwen.load(run), Model(finished.system)
    shown = pictures()
    questions = ["how many objects are there?", "有几个物体？"]
    assert torch.equal(loaded.embed_images(shown), trained.embed_images(shown))
    assert torch.equal(loaded.embed_texts(questions), trained.embed_texts(questions))
    for language in ("en", "zh"):
        assert loaded.caption(shown, language) == trained.caption(shown, language)
    assert loaded.answer(shown[0], questions) == trained.answer(shown[0], questions)
    assert loaded.answer(shown[:2], questions) == trained.answer(shown[:2], questions)
    assert loaded.classify(shown) == trained.classify(shown)
    assert loaded.classify(shown[0], ["red circle", "blue square"]) in ("red circle", "blue square")
    assert loaded.classify(shown, {"r": "a red circle", "b": "蓝色"}) == trained.classify(
        shown, {"r": "a red circle", "b": "蓝色"}
    )


def test_one_picture_gives_one_answer_and_a_list_gives_a_list(run: Path) -> None:
    model, shown = tuwen.load(run), pictures()
    assert isinstance(model.caption(shown[0]), str)
    assert isinstance(model.caption(shown[:1]), list)
    assert isinstance(model.answer(shown[0], "why?"), str)
    assert len(model.answer(shown[:3], "why?")) == 3
    assert len(model.answer(shown[0], ["why?", "what?"])) == 2
    assert model.embed_images(shown[0]).shape == model.embed_texts("why?").shape == (1, 16)
    with pytest.raises(RecipeError, match="asked for in en or zh, not in 'xx'"):
        model.caption(shown[0], "xx")
    with pytest.raises(ValueError, match="2 pictures and 3 questions"):
        model.answer(shown[:2], ["a", "b", "c"])


def test_a_model_is_loaded_onto_the_device_that_is_named(run: Path) -> None:
    assert tuwen.load(run, device="cpu").predictor.device == torch.device("cpu")
    assert load_run(run, "meta").predictor().device == torch.device("meta")


def test_a_model_of_another_version_is_told(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose weights have other names, or other shapes."""
    whole, folder = ModelFolder.weights, tmp_path / "old"
    shutil.copytree(run, folder)
    for name, value, told in (
        ("image_tower.norm.weight", None, r"is absent there and \[24\] here"),
        ("image_tower.stale", torch.zeros(2, 3), r"is \[2, 3\] there and absent here"),
        ("image_tower.norm.weight", torch.zeros(3), r"is \[3\] there and \[24\] here"),
    ):

        def weights(
            saved: ModelFolder, name: str = name, value: torch.Tensor | None = value
        ) -> dict[str, torch.Tensor]:
            kept = {key: tensor for key, tensor in whole(saved).items() if key != name}
            return kept if value is None else {**kept, name: value}

        monkeypatch.setattr(ModelFolder, "weights", weights)
        message = (
            rf"old: another version of Tuwen made this model \(0\..*the weight {name} {told}.*train the model again: "
        )
        with pytest.raises(CheckpointError, match=message + r"tuwen pretrain .*old/recipe.yaml --out NEW"):
            tuwen.load(folder)


def test_loading_leaves_the_random_numbers_of_others_alone(run: Path) -> None:
    torch.manual_seed(123)
    wanted = torch.rand(3)
    torch.manual_seed(123)
    tuwen.load(run)
    assert torch.equal(torch.rand(3), wanted)


def test_evaluating_again_finds_the_same_and_keeps_what_is_known_of_the_training(finished: Finished, run: Path) -> None:
    before = json.loads((run / "metrics.json").read_text())
    metrics = evaluate_run(run)
    after = json.loads((run / "metrics.json").read_text())
    assert after == before
    assert metrics["tasks"] == finished.metrics["tasks"]


def test_a_task_that_the_model_did_not_learn_is_refused(finished: Finished) -> None:
    model = Model(finished.system)
    without = {name: task for name, task in finished.system.tasks.items() if name == "retrieve"}
    object.__setattr__(finished.system, "tasks", without)
    with pytest.raises(RecipeError, match=r"was not trained for the task caption \(its tasks: retrieve\)"):
        model.caption(pictures()[0])


def test_a_folder_with_a_run_is_not_trained_over(run: Path, finished: Finished) -> None:
    with pytest.raises(CheckpointError, match="holds a run already"):
        pretrain(load_recipe(run), run)


def test_a_missing_folder_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        tuwen.load(tmp_path / "nothing")


class _StopsAt(Listener):
    """Interrupts after so many steps, as Ctrl-C does."""

    def __init__(self, step: int) -> None:
        self.at = step

    def on_step(self, report: StepReport) -> None:
        if report.step == self.at:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("ctrl_c")
def test_a_resumption_that_is_longer_stays_longer_when_it_is_cut_too(tmp_path: Path) -> None:
    short = {**RECIPE, "tasks": {"classify": {}, "retrieve": {"candidates": 10}}, "objectives": {"contrastive": {}}}
    file = tmp_path / "short.yaml"
    file.write_text(yaml.safe_dump(short | {"optional": []}), encoding="utf-8")
    run = tmp_path / "run"
    pretrain(load_recipe(file, sets=["train.steps=2"]), run)
    cut = pretrain(load_recipe(run, sets=["train.steps=6"]), run, resume=True, listeners=[_StopsAt(4)])
    assert not cut.result.finished
    assert pretrain(load_recipe(run), run, resume=True).result.step == 6
