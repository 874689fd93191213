"""The examples are decoded back from the very batch that the model gets first."""

from pathlib import Path

import pytest
import torch

from tuwen.check.examples import Example, examples
from tuwen.core.batch import PICTURE, Batch
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


def look(*sets: str, of: str = "quickstart", small: tuple[str, ...] = SMALL) -> Looked:
    recipe = load_recipe(of, sets=[*small, *sets]).recipe
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


def test_words_that_tell_what_they_name_carry_a_loss() -> None:
    _, data, found, batch = look()
    text, example = batch.texts["vqa"], found["vqa"]
    assert text.phrases is not None
    assert example.positions == int((text.phrases.of > 0).sum())
    assert example.trained_by == ("answering", "grounding")
    assert example.whole, "each question counts for its answer"
    assert not example.drawn
    (sample,) = (data.train[number] for number in range(40) if data.train[number].key == example.key)  # type: ignore[index]
    naming = {question.text[phrase.start : phrase.stop] for question in sample.questions for phrase in question.phrases}
    said = [piece.text for piece in example.pieces if piece.loss]
    assert said
    assert set(said) <= naming


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


TEXT = "The quick brown fox jumps over the lazy dog.\n" * 12


@pytest.fixture
def book(tmp_path: Path) -> tuple[str, ...]:
    """Settings that read a text file, whose samples have no picture."""
    (tmp_path / "book.txt").write_text(TEXT)
    return (f"data.path={tmp_path / 'book.txt'}", "data.window=40", "train.batch_size=4")


def test_a_text_alone_is_shown_with_what_is_predicted_of_it(book: tuple[str, ...]) -> None:
    _, _, found, batch = look("data.stride=7", of="language", small=book)
    example, packed = found["causal_lm"], batch.texts["words"]
    assert packed.loss_mask is not None
    assert (example.rows, example.positions, example.drawn) == (4, int(packed.loss_mask.sum()), False)
    assert example.key in batch.keys
    assert words(example, loss=False) == "<bos>"
    start = int(example.key.rpartition(":")[2])
    assert words(example, loss=True) == TEXT[start : start + 40].strip()


def test_what_is_drawn_to_be_guessed_is_shown(book: tuple[str, ...]) -> None:
    _, _, found, _ = look(of="masked_language", small=book)
    example = found["masked_lm"]
    assert (example.rows, example.drawn) == (4, True)
    assert example.positions >= 4
    assert words(example, loss=True)
    assert words(example, loss=False).startswith("<bos>")


def test_samples_that_stand_together_are_shown_together() -> None:
    binding = ("tasks.binding={kind: fast_binding, together: [2, 3]}", "objectives.captioning.stream=binding")
    _, _, found, batch = look(*binding, "tasks.caption=null", "tokenizer.max_length=160")
    example = found["binding"]
    assert example.key == ", ".join(batch.keys[: 1 + example.key.count(",")])
    assert words(example, loss=False).count("[picture]") == 1 + example.key.count(",") >= 2
    assert example.rows == len(batch.texts["binding"].ids)


@pytest.mark.parametrize("tokens", [4, 16])
def test_texts_of_several_samples_are_no_longer_than_the_language_model_reads(tokens: int) -> None:
    binding = ("tasks.binding={kind: fast_binding, together: [5, 8]}", "objectives.captioning.stream=binding")
    prefix = f"model.prefix.tokens={tokens}"
    system, _, _, batch = look(*binding, prefix, "tasks.caption=null", "tokenizer.max_length=32")
    text = batch.texts["binding"]
    pictures = (text.ids == PICTURE).sum(1)
    taken = text.attention_mask.sum(1) + pictures * (tokens - 1)
    assert taken.max() <= system.model.require("language").max_length
    assert pictures.max() > 1
    with torch.inference_mode():
        assert len(system.model(batch).predictions("binding").targets) == text.loss_mask.sum()  # type: ignore[union-attr]


def test_tags_are_told_by_their_names() -> None:
    small = ("data.train_pictures=20", "image.size=32", "train.batch_size=4")
    _, data, found, batch = look(of="boxes", small=small)
    assert found["tag"].rows == 4
    assert batch.tags is not None, "it is the batch that training begins with"
    tags = next(sample.tags for sample in (data.train[n] for n in range(20)) if sample.key == found["tag"].key)  # type: ignore[index]
    assert sorted((found["tag"].target or "").split(", ")) == sorted(tags or ())
