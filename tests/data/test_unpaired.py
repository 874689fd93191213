"""A part of the pairs stays, the rest comes apart; and a run learns from all of it."""

import io
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tuwen.core.errors import DataError, RecipeError
from tuwen.core.sample import Sample, Source
from tuwen.data import DataContext, NotedSplits
from tuwen.recipe.run import pretrain
from tuwen.recipe.schema import load_recipe
from tuwen.train.events import Listener, StepReport

Build = Callable[..., NotedSplits]
SCENES = {"kind": "scenes", "size": 32, "objects": [1, 1], "train_scenes": 60, "test_scenes": 5}


def training(splits: NotedSplits) -> list[Sample]:
    source = splits["train"]
    assert isinstance(source, Source)
    return [source[number] for number in range(len(source))]


def by_part(samples: list[Sample]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.key.split(": ")[0], []).append(sample)
    return found


def test_the_rest_comes_apart(build: Build) -> None:
    splits = build("unpaired", data=SCENES, paired=0.2)
    parts = by_part(training(splits))
    assert parts.keys() == {"pairs", "pictures", "texts"}
    keys = {name: {sample.key.split(": ")[1] for sample in found} for name, found in parts.items()}
    assert len(keys["pairs"]) == 12
    assert keys["pictures"] == keys["texts"]
    assert len(keys["pictures"]) == 48
    assert not keys["pairs"] & keys["pictures"]
    for sample in parts["pairs"]:
        assert sample.image is not None
        assert sample.captions
        assert sample.label
    for sample in parts["pictures"]:
        assert sample.image is not None
        assert sample == Sample(sample.key, sample.image)
    for sample in parts["texts"]:
        assert sample.image is None
        assert sample.captions
        assert sample == Sample(sample.key, captions=sample.captions)
    assert "The training data is seen as 12 pairs, 48 pictures, 48 texts." in splits.notes
    assert list(splits) == ["train", "test", "held_out"]
    assert splits.class_texts.keys() == {"en", "zh"}


def test_weights_say_how_often_each_is_seen(build: Build) -> None:
    even = Counter(sample.key.split(":")[0] for sample in training(build("unpaired", data=SCENES, paired=0.2)))
    assert max(even.values()) - min(even.values()) <= 1
    weights = {"pairs": 1, "pictures": 2, "texts": 0.5}
    found = Counter(
        sample.key.split(":")[0] for sample in training(build("unpaired", data=SCENES, paired=0.2, weights=weights))
    )
    assert found["pictures"] / found["pairs"] == pytest.approx(2, rel=0.05)
    assert found["texts"] / found["pairs"] == pytest.approx(0.5, rel=0.05)


def test_the_seed_draws_the_pairs(build: Build) -> None:
    def pairs(seed: int) -> set[str]:
        return {
            s.key for s in by_part(training(build("unpaired", DataContext(seed), data=SCENES, paired=0.2)))["pairs"]
        }

    assert pairs(0) == pairs(0) != pairs(1)


@pytest.mark.parametrize(
    ("settings", "there"),
    [
        ({"pictures": False}, {"pairs", "texts"}),
        ({"texts": False}, {"pairs", "pictures"}),
        ({"pictures": False, "texts": False}, {"pairs"}),
    ],
)
def test_parts_of_the_rest_may_be_left_out(build: Build, settings: dict[str, Any], there: set[str]) -> None:
    assert by_part(training(build("unpaired", data=SCENES, paired=0.5, **settings))).keys() == there


def test_what_cannot_be_divided_is_refused(build: Build, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.paired: 0\.001 of 60 samples leaves nothing on one side"):
        build("unpaired", data=SCENES, paired=0.001)
    with pytest.raises(RecipeError, match="paired"):
        build("unpaired", data=SCENES, paired=1.0)
    with pytest.raises(RecipeError, match="no part 'scene' in data"):
        build("unpaired", data={"kind": "scene"}, paired=0.5)
    with pytest.raises(DataError, match="it is a stream, which cannot be divided"):
        build("unpaired", data={"kind": "shards", "train": [str(tar(tmp_path / "a.tar"))]}, paired=0.5)


def tar(path: Path) -> Path:
    """A tar of two pictures with a text each."""
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    with tarfile.open(path, "w") as archive:
        for number in range(2):
            for name, content in ((f"{number}.png", file.getvalue()), (f"{number}.txt", b"text")):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


class Losses(Listener):
    """Hears which losses there are."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def on_step(self, report: StepReport) -> None:
        self.names |= report.losses.keys()


def test_a_run_learns_from_pairs_pictures_and_texts_together(tmp_path: Path) -> None:
    recipe = tmp_path / "semi.yaml"
    recipe.write_text(
        """
data: {kind: unpaired, paired: 0.3, data: {kind: scenes, size: 32, objects: [1, 1], train_scenes: 60, test_scenes: 6}}
image: {size: 32, view: {scale: [0.5, 1], rotate: 10}}
tokenizer: {vocab_size: 300, sample: 60}
model:
  image: {kind: vit, width: 16, depth: 1, heads: 2, patch: 8}
  text: {kind: transformer, width: 16, depth: 1, heads: 2}
  embedding: 8
  heads: {view: {reads: image, classes: 8, hidden: 16}, mask: {reads: text, classes: vocabulary}}
tasks: {retrieve: {}, masked_lm: {}}
objectives: {contrastive: {}, two_view: {}, masked_lm: {stream: masked_lm}}
train: {steps: 2, batch_size: 12, precision: fp32, workers: 0, compile: false, log_every: 1}
""",
        encoding="utf-8",
    )
    losses = Losses()
    finished = pretrain(load_recipe(recipe), tmp_path / "run", listeners=[losses])
    assert finished.metrics["tasks"].keys() == {"retrieve", "masked_lm"}
    assert losses.names == {"contrastive", "two_view", "masked_lm"}
