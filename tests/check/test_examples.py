"""The examples are decoded back from the very batch that the model gets first."""

import pytest
import torch

from tuwen.check.examples import Example, examples
from tuwen.core.batch import Batch
from tuwen.recipe.build import System, assemble
from tuwen.recipe.prepare import prepare
from tuwen.recipe.schema import load_recipe
from tuwen.recipe.sources import Data, build_data

SMALL = ("data.train_scenes=40", "tokenizer.sample=200", "train.batch_size=6", "image.size=32", "data.size=32")
IN_WORDS = ("tasks.vqa={by: words, questions: 2}", "objectives.answering=null", "model.heads.answer=null")
HEAD = (
    *IN_WORDS,
    "model.heads.label={reads: image, classes: labels}",
    "tasks.classify={by: head, head: label}",
    "objectives.naming={kind: classification, head: label}",
    "data.objects=[1, 1]",
)
Looked = tuple[System, Data, dict[str, Example], Batch]


def look(*sets: str) -> Looked:
    recipe = load_recipe("quickstart", sets=[*SMALL, *sets]).recipe
    data = build_data(recipe)
    prepared = prepare(recipe, data)
    system = assemble(prepared)
    return system, data, *examples(system, data, prepared.trained_by)


@pytest.fixture(scope="module")
def looked() -> Looked:
    """Captions and questions in one stream, retrieval in another, classes only evaluated."""
    return look(*IN_WORDS)


def words(example: Example, loss: bool) -> str:
    return "".join(piece.text for piece in example.pieces if piece.loss == loss)


def test_it_is_the_batch_that_training_begins_with(looked: Looked) -> None:
    system, data, _, batch = looked
    first = next(system.loader(data.train, workers=0).iterate()).batch
    assert first.keys == batch.keys
    assert first.texts.keys() == batch.texts.keys()
    for name, text in first.texts.items():
        assert torch.equal(text.ids, batch.texts[name].ids)


def test_an_example_says_what_its_sample_says(looked: Looked) -> None:
    _, data, found, _ = looked
    caption, answer, text = found["caption"], found["vqa"], found["retrieve"]
    samples = {sample.key: sample for sample in (data.train[number] for number in range(40))}  # type: ignore[index]
    said = [caption.text for caption in samples[caption.key].captions if caption.canonical]
    assert words(caption, loss=True).removesuffix(" <eos>") in said
    assert words(caption, loss=False) in ("<bos> caption: <sep>", "<bos> 描述： <sep>")
    asked = {(question.text, question.answer) for question in samples[answer.key].questions}
    question = words(answer, loss=False).removeprefix("<bos> ").removesuffix(" <sep>")
    assert (question, words(answer, loss=True).removesuffix(" <eos>")) in asked
    assert words(text, loss=True) == ""
    whole = words(text, loss=False).removeprefix("<bos> ").removesuffix(" <eos>")
    assert whole in [caption.text for caption in samples[text.key].captions]


def test_positions_and_rows_add_up_to_those_of_the_batch(looked: Looked) -> None:
    _, _, found, batch = looked
    packed = batch.texts["words"]
    assert packed.loss_mask is not None
    assert found["caption"].positions + found["vqa"].positions == int(packed.loss_mask.sum())
    assert found["caption"].rows + found["vqa"].rows == int(packed.segments.max(1).values.sum())
    assert found["retrieve"].rows == len(batch.texts["retrieve"].ids)
    assert {name: one.stream for name, one in found.items()} == {
        "caption": "words",
        "vqa": "words",
        "retrieve": "retrieve",
        "classify": "classify",
        "foils": "foils",
    }


def test_who_trains_a_task_is_told(looked: Looked) -> None:
    _, _, found, _ = looked
    assert found["caption"].trained_by == found["vqa"].trained_by == ("captioning",)
    assert set(found["retrieve"].trained_by) == {"contrastive", "matching"}
    assert found["classify"].trained_by == ()
    assert found["classify"].pieces == ()


def test_a_class_is_told_by_its_name() -> None:
    _, data, found, _ = look(*HEAD)
    samples = {sample.key: sample for sample in (data.train[number] for number in range(40))}  # type: ignore[index]
    example = found["classify"]
    assert example.target == samples[example.key].label
    assert example.trained_by == ("naming",)
    assert (example.rows, example.positions) == (6, 0)
