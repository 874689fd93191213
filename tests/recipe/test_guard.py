"""What fine-tuning takes away, as the guard measures it; and the weights between."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import tuwen
from tuwen.core.errors import DataError, RecipeError
from tuwen.recipe.finetune import finetune_recipe
from tuwen.recipe.guard import INTERPOLATED, MOMENTS, interpolate
from tuwen.recipe.run import Finished, pretrain
from tuwen.recipe.schema import load_recipe
from tuwen.train.lines import read_lines

SHORT = ("train.steps=4", "train.batch_size=4", "train.log_every=1", "evaluate.samples=6", "guard.times=1")
GUARD = ("guard.samples=8", "guard.alphas=2")


@pytest.fixture(scope="module")
def finished(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    run = tmp_path_factory.mktemp("runs") / "fine"
    return pretrain(finetune_recipe(tiny_run, "retrieve", sets=(*SHORT, *GUARD, "train.learning_rate=0.05")), run)


@pytest.fixture(scope="module")
def run(finished: Finished) -> Path:
    return finished.result.checkpoint.parents[1]


def test_the_guard_measures_before_on_the_way_and_after(finished: Finished, run: Path) -> None:
    found = finished.forgetting
    assert found is not None
    assert [moment.step for moment in found.path] == [0, 2, 4]
    assert {line["step"] for line in read_lines(run / MOMENTS)} == {0, 2, 4}
    figures = {"retrieve.image_to_text_r1", "retrieve.text_to_image_r1", "classify.zero_shot_accuracy"}
    assert all(moment.kept.keys() <= figures for moment in found.path)
    assert {name.partition(".")[0] for name in found.path[0].kept} >= {"retrieve"}
    for name, lost in found.lost.items():
        assert lost == pytest.approx(found.path[0].kept[name] - found.path[-1].kept[name])


def test_the_curve_goes_from_the_pretrained_to_the_fine_tuned_weights(finished: Finished, run: Path) -> None:
    found = finished.forgetting
    assert found is not None
    assert [mixed.alpha for mixed in found.curve] == [0.0, 0.5, 1.0]
    best = max(mixed.score for mixed in found.curve)
    assert next(mixed.score for mixed in found.curve if mixed.alpha == found.alpha) == best
    assert [mixed.alpha for mixed in found.confirmed] == [0.0, found.alpha, 1.0]
    assert json.loads((run / "metrics.json").read_text())["forgetting"] == found.summary()
    assert {file.name for file in run.iterdir()} >= {"forgetting.json", "forgetting.png", "report.html"}
    assert "data:image/png" in (run / "report.html").read_text(encoding="utf-8").partition('id="forgetting"')[2]


def test_the_model_between_is_a_model_of_its_own(finished: Finished, run: Path, tiny_run: Path) -> None:
    assert finished.forgetting is not None
    alpha = finished.forgetting.alpha
    assert alpha is not None
    before, after, between = (weights(folder) for folder in (tiny_run, run, run / INTERPOLATED))
    assert between.keys() == after.keys()
    for name, tensor in between.items():
        torch.testing.assert_close(tensor, (1 - alpha) * before[name] + alpha * after[name])
    metrics = json.loads((run / INTERPOLATED / "metrics.json").read_text())
    assert metrics["tasks"].keys() == {"retrieve"}
    assert tuwen.load(run / INTERPOLATED).embed_texts("a red circle").shape == (1, 128)


def test_what_is_frozen_forgets_nothing(tiny_run: Path, tmp_path: Path) -> None:
    sets = (*SHORT, *GUARD, "guard.alphas=0", "train.learning_rate=0.05")
    finished = pretrain(finetune_recipe(tiny_run, "classify", only=["head"], sets=sets), tmp_path / "fine")
    assert finished.forgetting is not None
    assert set(finished.forgetting.lost.values()) == {0.0}
    assert finished.forgetting.alpha is None
    assert not (tmp_path / "fine" / INTERPOLATED).exists()


def test_weights_that_are_new_are_not_mixed() -> None:
    begun: Mapping[str, Tensor] = {"a": torch.zeros(2), "count": torch.tensor(3)}
    fine = {"a": torch.tensor([2.0, 4.0]), "head": torch.ones(1), "count": torch.tensor(7)}
    mixed = interpolate(begun, fine, 0.25)
    assert {name: tensor.tolist() for name, tensor in mixed.items()} == {"a": [0.5, 1.0], "head": [1.0], "count": 7}
    assert torch.equal(interpolate(begun, fine, 1.0)["a"], fine["a"])


def test_a_guard_that_cannot_measure_is_refused_before_training(tiny_run: Path, tmp_path: Path) -> None:
    def refused(error: type[Exception], words: str, *sets: str) -> None:
        with pytest.raises(error, match=words):
            pretrain(finetune_recipe(tiny_run, "retrieve", sets=(*SHORT, *GUARD, *sets)), tmp_path / "fine")
        assert not (tmp_path / "fine" / "checkpoints").exists()

    refused(DataError, "no such folder .* --set guard.data=… or|no such folder .* --no-guard",
            "guard.data={kind: folder, path: gone}")  # fmt: skip
    refused(RecipeError, "guard.tasks.detecting|no part 'detecting'", "guard.tasks.detecting={}")
    with pytest.raises(RecipeError, match=r"starts from no trained model \(start.run\)"):
        pretrain(load_recipe(tiny_run, sets=["guard.data={kind: scenes}", "guard.tasks.retrieve={}"]), tmp_path / "g")


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")
