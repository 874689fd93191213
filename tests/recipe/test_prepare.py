"""What a recipe and its training data come to."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuwen.core.errors import RecipeError
from tuwen.core.sample import Caption, Sample
from tuwen.prep.batches import IGNORE
from tuwen.recipe.prepare import Prepared, prepare
from tuwen.recipe.schema import load_recipe
from tuwen.recipe.sources import Data, build_data

PICTURE = np.zeros((32, 32, 3), np.uint8)
SETS = ("data={kind: scenes}", "image.size=32", "train.batch_size=4", "tokenizer.vocab_size=300")

MORE = "a higher tokenizer.max_length keeps more of them."


class Labelled:
    """A stream of one sample for each label."""

    def __init__(self, *labels: str) -> None:
        self.labels = labels

    def iterate(self, *, epoch: int, shard: int, shards: int) -> Iterator[Sample]:
        return iter([Sample(label, PICTURE, label=label) for label in self.labels])


def prepared(*met: str, named: tuple[str, ...], texts: Mapping[str, Mapping[str, str]]) -> Prepared:
    recipe = load_recipe("pretrain", sets=SETS).recipe
    return prepare(recipe, Data({"train": Labelled(*met)}, (), named, texts))


def test_labels_that_the_data_did_not_name_are_learned_too() -> None:
    """As of a mixture of a folder with a subfolder a class and tars, which do not say beforehand what is in them."""
    found = prepared("dog", "fish", "cat", "bird", named=("dog", "cat", "cow"), texts={})
    assert found.vocabulary["labels"] == ("dog", "cat", "cow", "bird", "fish")
    assert found.counts["labels"] == (1, 1, 0, 1, 1)
    classify = found.encoder.tasks["classify"]
    assert IGNORE not in [classify.target(sample) for sample in found.found.examples]
    assert not [note for note in found.notes if "texts" in note]


@pytest.mark.parametrize(("long", "cut"), [(0, 0), (1, 0), (2, 2), (150, 150)])
def test_texts_that_are_cut_are_said_where_they_are_many(long: int, cut: int) -> None:
    notes = cuts(["a red circle " * 40] * long + ["a red circle"] * (150 - long))
    assert notes == ([f"{cut} of 150 texts that were looked at are cut to 24 tokens: {MORE}"] if cut else [])


@pytest.mark.parametrize("first", [0, 1])
def test_of_many_texts_some_are_looked_at_whatever_their_order(first: int) -> None:
    (note,) = cuts((["a red circle", "a red circle " * 40] * 1200)[first:])
    cut = re.match(r"(\d+) of 1,000 texts", note)
    assert cut is not None
    assert 400 < int(cut[1]) < 600


def test_nothing_is_said_of_texts_that_nobody_reads() -> None:
    parts = ["tasks.retrieve", "tasks.caption", "tasks.vqa", "tasks.tag", "objectives.contrastive"]
    parts += ["objectives.matching", "objectives.captioning", "objectives.multilabel", "model.heads.match"]
    assert cuts(["a red circle " * 40] * 150, *(f"{part}=null" for part in parts)) == []


def cuts(texts: list[str], *sets: str) -> list[str]:
    """What is said of texts that are cut, captions of a picture with a label each."""

    class Told(Labelled):
        def iterate(self, *, epoch: int, shard: int, shards: int) -> Iterator[Sample]:
            samples = (Sample(str(n), PICTURE, (Caption(text, "en"),), label="x") for n, text in enumerate(texts))
            return iter(samples)

    recipe = load_recipe("pretrain", sets=[*SETS, "tokenizer.max_length=24", *sets]).recipe
    return [note for note in prepare(recipe, Data({"train": Told()}, (), (), {})).notes if "are cut" in note]


@pytest.mark.parametrize("met", ["cat", "fish"])
def test_texts_describe_all_labels_or_none(met: str) -> None:
    texts = {"en": {"cat": "a cat", "dog": "a dog"}, "zh": {"dog": "一只狗", "cat": "一只猫"}}
    found = prepared("dog", met, named=("dog", "cat"), texts=texts)
    said = [note for note in found.notes if "texts for some labels, and none for fish" in note]
    if met == "cat":
        assert (found.vocabulary["text:en"], found.vocabulary["text:zh"]) == (("a dog", "a cat"), ("一只狗", "一只猫"))
        assert not said
    else:
        assert [name for name in found.vocabulary if name.startswith("text:")] == []
        assert len(said) == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (["image.augment=crop"], "boxes do not move along with what image.augment may move; say image.augment=none"),
        (["image.flip=true", "image.rotate=5"], "boxes do not .* may move; say image.flip=false and image.rotate=0.0"),
        (["model.fusion={kind: add}"], "the fusion add has no vector for each word of a text; take one like cross_att"),
    ],
)
def test_grounding_is_refused_or_left_out_where_it_would_learn_what_is_not_so(changes: list[str], why: str) -> None:
    sets = ["data.size=32", "image.size=32", "data.train_scenes=40", "data.test_scenes=8", "tokenizer.vocab_size=300"]
    recipe = load_recipe("quickstart", sets=[*sets, *changes]).recipe
    found = prepare(recipe, build_data(recipe))
    assert [note for note in found.notes if re.match(rf"Left out objectives\.grounding: {why}", note)]
    assert "grounding" not in found.recipe.objectives
    with pytest.raises(RecipeError, match=rf"^objectives\.grounding: {why}.* take it out with --set objectives\.grou"):
        prepare(recipe.model_copy(update={"optional": ()}), build_data(recipe))


def test_a_member_of_joint_is_refused_alike() -> None:
    joint = "{kind: joint, learned: true, members: {where: {kind: grounding, stream: vqa}}}"
    sets = ["data.train_scenes=40", "data.test_scenes=8", "objectives.grounding=null", f"objectives.all={joint}"]
    recipe = load_recipe("quickstart", sets=[*sets, "image.flip=true"]).recipe
    with pytest.raises(RecipeError, match=r"^objectives\.all: boxes do not move along with what image\.flip may move"):
        prepare(recipe, build_data(recipe))


def test_phrases_are_learned_from_where_nothing_moves() -> None:
    recipe = load_recipe("quickstart", sets=["data.train_scenes=40", "data.test_scenes=8"]).recipe
    assert "grounding" in prepare(recipe, build_data(recipe)).trained_by["vqa"]


def test_classes_that_were_met_once_hint_at_more_that_were_not(tmp_path: Path) -> None:
    """Only where not all samples were looked at, and a head is over them."""
    rng = np.random.default_rng(0)
    rows = [{"image": f"{number}.png", "tags": f"tag{number % 5}", "caption": f"a {number}"} for number in range(40)]
    for row in rows:
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(tmp_path / row["image"])
    (tmp_path / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    text = f"""
data: {{kind: folder, path: {tmp_path}, captions: captions.jsonl, tags_column: tags, validation: 0}}
model: {{image: {{kind: cnn}}, heads: {{tags: {{reads: image, classes: tags}}}}}}
tasks: {{tag: {{}}}}
objectives: {{multilabel: {{}}}}
train: {{steps: 1, batch_size: 8}}
"""
    (tmp_path / "tags.yaml").write_text(text, encoding="utf-8")

    def notes(looked_at: int) -> list[str]:
        recipe = load_recipe(tmp_path / "tags.yaml", sets=[f"tokenizer.sample={looked_at}"]).recipe
        return [note for note in prepare(recipe, build_data(recipe)).notes if "met once only" in note]

    assert notes(1000) == []
    (note,) = notes(6)
    assert note.startswith("Of the training data 6 samples were looked at, and 4 of 5 tags met once only")
    assert note.endswith("which no head learns. Look at more of them with --set tokenizer.sample=NUMBER.")
