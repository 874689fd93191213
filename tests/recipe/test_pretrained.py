"""Checkpoints in recipes: what they decide, what a person decides, and that a run needs them no more."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests import checkpoints
from tuwen.core.errors import RecipeError, TuwenError
from tuwen.recipe.pretrained import settle
from tuwen.recipe.run import load_run, pretrain
from tuwen.recipe.schema import Recipe, load_recipe

BARE = """
data: {kind: scenes, train_scenes: 40, test_scenes: 6, objects: [1, 2], size: 32}
model: {embedding: 16}
tasks: {retrieve: {}}
objectives: {contrastive: {}}
train: {steps: 2, batch_size: 4, precision: fp32, compile: false, learning_rate: 1.0e-2}
evaluate: {samples: 6}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Any:
    file = tmp_path / "mine.yaml"
    file.write_text(BARE)
    return lambda *sets: load_recipe(file, sets=sets)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("checkpoints")
    return {name: getattr(checkpoints, name)(base / name) for name in ("resnet", "clip", "bert", "vit")}


def parts(folders: dict[str, Path], image: str, text: str) -> tuple[str, str]:
    return (
        f"model.image={{kind: hf, name: '{folders[image]}'}}",
        f"model.text={{kind: hf, name: '{folders[text]}'}}",
    )


def test_preprocessing_and_tokenizer_come_from_the_checkpoints(recipe: Any, folders: dict[str, Path]) -> None:
    found: Recipe = settle(recipe(*parts(folders, "clip", "bert")).recipe)
    assert (found.image.size, found.image.resize, found.image.shortest) == (32, "crop", 32)
    assert found.image.interpolation == "bicubic"
    assert found.image.mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))
    assert found.tokenizer.name == str(folders["bert"])
    assert found.tokenizer.max_length == 30
    assert found.model.image is not None
    assert found.model.image["architecture"]["model_type"] == "clip"
    assert found.model.image["pool"] == "own"


def test_what_a_person_set_stays(recipe: Any, folders: dict[str, Path]) -> None:
    sets = ("image.size=64", "image.mean=[0, 0, 0]", "image.flip=true", "tokenizer.max_length=12")
    found = settle(recipe(*parts(folders, "resnet", "bert"), *sets).recipe)
    assert (found.image.size, found.image.shortest) == (64, 72), "the same part of the picture is seen"
    assert found.image.mean == (0, 0, 0)
    assert found.image.std == pytest.approx((0.5, 0.5, 0.5))
    assert found.image.flip
    assert found.tokenizer.max_length == 12
    assert settle(recipe(*parts(folders, "clip", "bert"), "image.resize=squash").recipe).image.shortest is None


def test_weights_are_read_once(recipe: Any, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """What a checkpoint decides is told by its shapes: the weights are read when the model is built, not before."""
    from transformers import AutoModel

    devices: list[str] = []
    read = AutoModel.from_pretrained

    def noting(*args: Any, **settings: Any) -> Any:
        model, info = read(*args, **settings)
        devices.append(model.device.type)
        return model, info

    monkeypatch.setattr(AutoModel, "from_pretrained", noting)
    found = settle(recipe(*parts(folders, "vit", "bert")).recipe)
    assert devices == ["meta", "meta"]
    assert found.model.text is not None
    assert found.model.text["pool"] == "own"


def test_settling_twice_changes_nothing(recipe: Any, folders: dict[str, Path]) -> None:
    once = settle(recipe(*parts(folders, "clip", "clip")).recipe)
    assert settle(once) == once


def test_a_recipe_without_checkpoints_is_as_it_was(recipe: Any) -> None:
    given = recipe("model.image.kind=vit", "model.text.kind=gru").recipe
    assert settle(given) is given


def test_a_tokenizer_alone_can_be_named(recipe: Any, folders: dict[str, Path]) -> None:
    found = settle(recipe("model.text.kind=gru", f"tokenizer.name='{folders['bert']}'").recipe)
    assert found.tokenizer.max_length == 30


def test_two_tokenizers_are_refused(recipe: Any, folders: dict[str, Path]) -> None:
    given = recipe(*parts(folders, "vit", "bert"), f"tokenizer.name='{folders['clip']}'").recipe
    with pytest.raises(RecipeError, match=r"model.text: .*bert has another tokenizer than .*clip \(tokenizer.name\)"):
        settle(given)


def test_a_trained_run_needs_neither_folder_nor_hub(recipe: Any, folders: dict[str, Path], tmp_path: Path) -> None:
    own = {name: shutil.copytree(folders[name], tmp_path / name) for name in ("resnet", "bert")}
    sets = ("model.freeze=[image]", "model.lora={text: {rank: 2, targets: [query, value]}}")
    finished = pretrain(recipe(*parts(own, "resnet", "bert"), *sets), tmp_path / "run")
    for folder in own.values():
        shutil.rmtree(folder)
    system = load_run(tmp_path / "run")
    assert not any("lora" in name for name, _ in system.model.named_parameters()), "adapters are merged"
    pictures = [np.random.default_rng(n).integers(0, 255, (40, 50, 3), dtype=np.uint8) for n in range(3)]
    texts = ["a red circle", "两个蓝色的正方形"]
    before, after = finished.system.predictor(), system.predictor()
    torch.testing.assert_close(after.embed_images(pictures), before.embed_images(pictures))
    torch.testing.assert_close(after.embed_texts(texts), before.embed_texts(texts), atol=1e-5, rtol=1e-5)


def test_frozen_weights_are_those_of_the_checkpoint_to_the_byte(
    recipe: Any, folders: dict[str, Path], tmp_path: Path
) -> None:
    """Running averages of a batch normalisation too."""
    from safetensors.torch import load_file

    sets = ("model.freeze=[image]", "train.optimizer.kind=muon")
    system = pretrain(recipe(*parts(folders, "resnet", "bert"), *sets), tmp_path / "run").system
    weights = load_file(folders["resnet"] / "model.safetensors")
    trained = {name: tensor for name, tensor in system.model.state_dict().items() if name.startswith("image_tower.")}
    assert len(trained) == len(weights)
    for name, tensor in trained.items():
        assert torch.equal(tensor.contiguous(), weights[name.removeprefix("image_tower.encoder.")]), name


def test_a_checkpoint_of_the_wrong_family_is_refused_before_training(
    recipe: Any, folders: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(TuwenError, match="a BertModel reads no pictures"):
        pretrain(recipe(*parts(folders, "bert", "bert")), tmp_path / "run")
    assert not (tmp_path / "run").exists()
