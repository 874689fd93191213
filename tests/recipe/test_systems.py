"""The full-size recipes of the systems, with tiny checkpoints in local folders in the place of the public ones."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import checkpoints
from tuwen.recipe.run import load_run, pretrain
from tuwen.recipe.schema import load_recipe

THINGS = ("a red circle", "two blue squares")
SHORT = ("train.epochs=null", "train.steps=2", "train.batch_size=4", "train.precision=fp32", "train.workers=0")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with a text and a class each."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "caption", "label"])
        for number in range(30):
            kind = number % 2
            pixels = rng.integers(0, 128, (40, 50, 3), dtype=np.uint8) + np.uint8(100 * kind)
            Image.fromarray(pixels).save(folder / f"{number}.png")
            table.writerow([f"{number}.png", f"{THINGS[kind]}, number {number}", THINGS[kind].split()[-1]])
    return folder


@pytest.mark.parametrize("name", ["resnet_gru_joint", "resnet_bert_pairs", "fusion_decoder", "vgg_bert_fusion"])
def test_a_full_size_recipe_trains_from_local_checkpoints(name: str, photos: Path, tmp_path: Path) -> None:
    """VGG-16 comes through timm, an extra: a ResNet stands in its place here."""
    image = checkpoints.vit(tmp_path / "image") if name == "fusion_decoder" else checkpoints.resnet(tmp_path / "image")
    sets = [f"data.path={photos}", *SHORT, f"model.image.name={image}", "model.image.kind=hf"]
    if name != "resnet_gru_joint":
        sets += [f"model.text.name={checkpoints.bert(tmp_path / 'text')}"]
    finished = pretrain(load_recipe(name, sets=sets), tmp_path / "run")
    recipe = finished.system.recipe
    assert recipe.image.size == checkpoints.SIZE
    assert (recipe.tokenizer.name is None) == (name == "resnet_gru_joint")
    assert set(load_run(tmp_path / "run").tasks) == set(recipe.tasks)
    assert finished.metrics["tasks"]
