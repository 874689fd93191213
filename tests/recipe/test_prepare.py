"""What a recipe and its training data come to."""

from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from tuwen.core.sample import Sample
from tuwen.prep.batches import IGNORE
from tuwen.recipe.prepare import Prepared, prepare
from tuwen.recipe.schema import load_recipe
from tuwen.recipe.sources import Data

PICTURE = np.zeros((32, 32, 3), np.uint8)
SETS = ("data={kind: scenes}", "image.size=32", "train.batch_size=4", "tokenizer.vocab_size=300")


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
