"""What is asked comes back in the order in which it was asked, whatever the batches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests import tiny
from tuwen.core.errors import RecipeError, SampleError
from tuwen.core.sample import Picture
from tuwen.models.predictor import Predictor

HEADS = {"label": {"reads": "image", "classes": 4}, "answer": {"reads": "fused", "classes": 5}}
PICTURES: list[Picture] = [sample.image for sample in tiny.scenes()["train"] if sample.image is not None][:7]
TEXTS = ["a", "a long text with many words", "b c", "中文", "a b c d e f", "", "d"]
CLOSE = {"atol": 1e-5, "rtol": 1e-5}

ASKED: dict[str, Callable[[Predictor, list[Picture], list[str]], Any]] = {
    "images": lambda predictor, pictures, texts: predictor.embed_images(pictures),
    "texts": lambda predictor, pictures, texts: predictor.embed_texts(texts),
    "label": lambda predictor, pictures, texts: predictor.logits("label", pictures),
    "answer": lambda predictor, pictures, texts: predictor.logits("answer", pictures, texts),
}


@pytest.mark.parametrize("what", ASKED)
def test_the_order_is_kept_and_the_batch_size_changes_nothing(what: str) -> None:
    ask, model = ASKED[what], tiny.model(heads=HEADS)
    whole = ask(tiny.predictor(model), PICTURES, TEXTS)
    assert len(whole) == 7
    assert whole.dtype == torch.float32
    order = [3, 0, 6, 2, 5, 1, 4]
    for size in (1, 2, 3, 7):
        torch.testing.assert_close(ask(tiny.predictor(model, size), PICTURES, TEXTS), whole, **CLOSE)
        shuffled = ask(
            tiny.predictor(model, size), [PICTURES[number] for number in order], [TEXTS[number] for number in order]
        )
        torch.testing.assert_close(shuffled, whole[order], **CLOSE)


@pytest.mark.parametrize("seen", [True, False])
def test_what_is_written_does_not_depend_on_the_batch(seen: bool) -> None:
    model = tiny.model()
    pictures = PICTURES if seen else None
    whole = tiny.predictor(model).write(TEXTS, pictures, 8)
    assert len(whole) == 7
    for size in (1, 2, 3):
        assert tiny.predictor(model, size).write(TEXTS, pictures, 8) == whole


def test_a_picture_of_several_questions_is_encoded_once() -> None:
    model = tiny.model(heads=HEADS)
    seen: list[int] = []
    assert model.image_tower is not None
    model.image_tower.register_forward_hook(lambda module, inputs, _: seen.append(len(inputs[0])))
    predictor = tiny.predictor(model)
    asked = [PICTURES[0], PICTURES[1], PICTURES[0], PICTURES[0], PICTURES[1]]
    logits, texts = predictor.logits("answer", asked, TEXTS[:5]), predictor.write(TEXTS[:5], asked, 4)
    assert seen == [2, 2]
    for number, (picture, text) in enumerate(zip(asked, TEXTS, strict=False)):
        torch.testing.assert_close(logits[number], predictor.logits("answer", [picture], [text])[0], **CLOSE)
        assert texts[number] == predictor.write([text], [picture], 4)[0]


def test_nothing_asked_nothing_answered() -> None:
    predictor = tiny.predictor(tiny.model(heads=HEADS))
    assert len(predictor.embed_images([])) == len(predictor.embed_texts([])) == len(predictor.logits("label", [])) == 0
    assert predictor.write([], []) == []


def test_pictures_are_files_bytes_or_pixels(tmp_path: Path) -> None:
    pixels = np.asarray(PICTURES[0])
    file = tmp_path / "scene.png"
    Image.fromarray(pixels).save(file)
    predictor = tiny.predictor(tiny.model())
    found = predictor.embed_images([pixels, file, file.read_bytes()])
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])
    missing = tmp_path / "none.png"
    with pytest.raises(SampleError, match=r"none\.png"):
        predictor.embed_images([missing])


def test_it_puts_the_model_into_evaluation_mode_and_takes_no_gradients() -> None:
    model = tiny.model(heads={"label": {"reads": "image", "classes": 4, "dropout": 0.9}}).train()
    predictor = tiny.predictor(model)
    assert not model.training
    assert torch.equal(predictor.logits("label", PICTURES), predictor.logits("label", PICTURES))
    assert not predictor.embed_images(PICTURES).requires_grad


def test_in_bf16_the_figures_are_close_and_still_float32() -> None:
    model = tiny.model()
    exact = tiny.predictor(model).embed_images(PICTURES)
    rough = Predictor(model, tiny.tokenizer(), tiny.IMAGES, bf16=True).embed_images(PICTURES)
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, atol=0.03, rtol=0.03)


def test_a_model_that_cannot_do_it_says_so() -> None:
    predictor = tiny.predictor(tiny.model(language=None, embedding=None))
    with pytest.raises(RecipeError, match="no language model: name one under model.language"):
        predictor.write(["a"], [PICTURES[0]])
    with pytest.raises(RecipeError, match=r"set model\.embedding"):
        predictor.embed_texts(["a"])
    with pytest.raises(RecipeError, match=r"no head 'label' \(its heads: none\)"):
        predictor.logits("label", PICTURES)
