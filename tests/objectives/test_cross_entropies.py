"""`captioning` and `classification` against plain sums of logarithms."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests import tiny
from tuwen.core.batch import Batch, Row
from tuwen.core.errors import DataError
from tuwen.prep.batches import IGNORE, Encoded, collate

HEADS = {"label": {"reads": "image", "classes": 4}, "answer": {"reads": "fused", "classes": 5}}


def cross_entropy(logits: Tensor, target: int, smoothing: float) -> Tensor:
    """`(1 - ε) · -log p[target] + ε · mean(-log p)`."""
    minus_log = -(logits.exp() / logits.exp().sum()).log()
    return (1 - smoothing) * minus_log[target] + smoothing * minus_log.mean()


def assert_same_gradients(found: Tensor, wanted: Tensor, model: torch.nn.Module) -> None:
    weights = list(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(found, weights, allow_unused=True, retain_graph=True),
        torch.autograd.grad(wanted, weights, allow_unused=True),
        strict=True,
    ):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def told(packed: bool) -> Batch:
    """Two pictures with two and one texts to say."""
    tokenizer = tiny.tokenizer()

    def row(prompt: str, answer: str) -> Row:
        asked, said = tokenizer.prompt(prompt), tokenizer.answer(answer)
        return Row(asked + said, [False] * len(asked) + [True] * len(said))

    said = [[row("caption:", "a red circle"), row("how many?", "two")], [row("caption:", "b")]]
    scenes = tiny.scenes()["train"]
    samples = [Encoded(str(n), scenes[n].image, {"words": rows}) for n, rows in enumerate(said)]
    return collate(samples, tokenizer.pad, frozenset({"words"} if packed else ()))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_captioning_is_the_loop_over_words(smoothing: float, packed: bool) -> None:
    model, batch = tiny.model(), told(packed)
    objective = tiny.objective({"kind": "captioning", "label_smoothing": smoothing})
    forward = model(batch)
    predicted = forward.predictions("words")
    text = batch.texts["words"]
    assert text.loss_mask is not None
    words = text.ids[text.loss_mask].tolist()
    assert predicted.targets.tolist() == words
    wanted = torch.stack(
        [cross_entropy(logits, word, smoothing) for logits, word in zip(predicted.logits, words, strict=True)]
    ).sum()
    loss = objective(forward)
    torch.testing.assert_close(loss.sum, wanted, atol=1e-4, rtol=1e-5)
    assert objective.count(batch) == float(loss.count) == len(words)
    assert_same_gradients(loss.sum, wanted, model)
    right = [int(logits.argmax()) == word for logits, word in zip(predicted.logits, words, strict=True)]
    assert loss.parts["accuracy"].item() == pytest.approx(sum(right) / len(right))


def test_an_untrained_captioner_guesses_among_all_words() -> None:
    loss = tiny.objective({"kind": "captioning"})(tiny.model()(told(packed=True)))
    assert loss.mean.item() == pytest.approx(math.log(len(tiny.tokenizer())), rel=0.15)


def test_texts_without_a_loss_count_nothing() -> None:
    objective = tiny.objective({"kind": "captioning", "stream": "retrieve"})
    assert objective.count(tiny.batch([["a"], ["b"]])) == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_classification_of_pictures_is_the_loop_over_those_whose_class_is_known(smoothing: float) -> None:
    model = tiny.model(heads=HEADS)
    batch = tiny.batch([["a"], ["b"], ["c"], ["d"]], target=[3, None, 0, 3])
    objective = tiny.objective({"kind": "classification", "label_smoothing": smoothing})
    forward = model(batch)
    logits = forward.logits("label")
    wanted = torch.stack([cross_entropy(logits[n], target, smoothing) for n, target in [(0, 3), (2, 0), (3, 3)]]).sum()
    loss = objective(forward)
    torch.testing.assert_close(loss.sum, wanted)
    assert objective.count(batch) == float(loss.count) == 3
    assert_same_gradients(loss.sum, wanted, model)
    right = [int(logits[n].argmax()) == target for n, target in [(0, 3), (2, 0), (3, 3)]]
    assert loss.parts["accuracy"].item() == pytest.approx(sum(right) / 3)


def test_classification_of_texts_reads_each_with_its_picture() -> None:
    model = tiny.model(heads=HEADS)
    made = tiny.batch([["a", "b"], ["c", "d"]])
    text = replace(made.texts["retrieve"], target=torch.tensor([1, IGNORE, 4, 0]))
    batch = replace(made, texts={"vqa": text})
    objective = tiny.objective({"kind": "classification", "head": "answer", "stream": "vqa"})
    forward = model(batch)
    logits = forward.logits("answer", "vqa")
    wanted = torch.stack([cross_entropy(logits[n], target, 0) for n, target in [(0, 1), (2, 4), (3, 0)]]).sum()
    loss = objective(forward)
    torch.testing.assert_close(loss.sum, wanted)
    assert objective.count(batch) == float(loss.count) == 3


def test_a_batch_without_any_known_class_counts_nothing() -> None:
    objective = tiny.objective({"kind": "classification"})
    assert objective.count(tiny.batch([["a"], ["b"]])) == 0
    assert objective.count(tiny.batch([["a"], ["b"]], target=[None, None])) == 0
    by_text = tiny.objective({"kind": "classification", "head": "answer", "stream": "vqa"})
    assert by_text.count(tiny.batch([["a"], ["b"]], target=[1, 2])) == 0
    with pytest.raises(DataError, match="no class is known for the texts of 'vqa' of this batch"):
        by_text(tiny.model(heads=HEADS)(tiny.batch([["a"]])))
    with pytest.raises(DataError, match="no class is known for the pictures of this batch"):
        objective(tiny.model(heads=HEADS)(tiny.batch([["a"]])))
