"""What a person hands a trained model: every form of a picture, and what cannot be one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from tests import tiny
from tuwen.cli.app import build_app
from tuwen.core.errors import RecipeError
from tuwen.core.rooms import build_part
from tuwen.recipe.build import System
from tuwen.recipe.schema import load_recipe
from tuwen.recipe.use import Model
from tuwen.tasks import TaskContext

PIXELS = np.asarray(tiny.scenes()["train"][0].image)
LABELS = ("cat", "dog", "cow")


def model(**classify: Any) -> Model:
    """With a task `classify` of these settings, over `LABELS`."""
    heads = {"label": {"reads": "fused" if classify.get("with_text") else "image", "classes": "labels"}}
    asked = build_part("tasks", {"kind": "classify", **classify}, TaskContext(tiny.tokenizer(), LABELS))
    trained = tiny.model(labels=len(LABELS), heads=heads)
    recipe, words = load_recipe().recipe, {"labels": LABELS}
    return Model(System(recipe, trained, tiny.tokenizer(), tiny.IMAGES, words, {"classify": asked}))


def test_the_command_puts_the_best_text_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked, texts = asked_for("match", {}), ["a red circle", "二", "a"]
    monkeypatch.setattr("tuwen.recipe.use.load", lambda run: asked)
    Image.fromarray(PIXELS).save(tmp_path / "one.png")
    said = CliRunner().invoke(build_app(), ["match", "run", str(tmp_path / "one.png"), *texts])
    scores = asked.match(PIXELS, texts)
    assert isinstance(scores, list)
    best = sorted(zip(scores, texts, strict=True), reverse=True)
    assert said.output.splitlines() == [f"{score:8.3f}  {text}" for score, text in best]


def asked_for(task: str, words: dict[str, tuple[str, ...]], **settings: Any) -> Model:
    """With one task beside `model`'s, and a head for it of as many classes as there are words, or one."""
    (name,) = words or {"one": ()}
    context = TaskContext(tiny.tokenizer(), tags=words.get("tags", ()))
    reads = "fused" if task == "match" or settings.get("with_text") else "image"
    built = build_part("tasks", {"kind": task, "head": "own", **settings}, context)
    trained = tiny.model(tags=len(context.tags), heads={"own": {"reads": reads, "classes": name if words else 1}})
    return Model(System(load_recipe().recipe, trained, tiny.tokenizer(), tiny.IMAGES, words, {task: built}))


def test_a_picture_has_many_forms(tmp_path: Path) -> None:
    file, asked = tmp_path / "one.png", model()
    shown = Image.fromarray(PIXELS)
    shown.save(file)
    with Image.open(file) as opened:
        forms = [PIXELS, file, str(file), file.read_bytes(), shown, opened, shown.convert("RGBA")]
        found = asked.embed_images(forms)
    assert len({tuple(row.tolist()) for row in found.round(decimals=5)}) == 1
    assert asked.generate([shown, "this is"], max_new_tokens=3) == asked.generate([PIXELS, "this is"], max_new_tokens=3)


def test_pillows_pictures_are_laid_on_the_background_and_turned() -> None:
    """As their files are."""
    clear = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    white = np.full((20, 40, 3), 255, np.uint8)
    sideways = Image.fromarray(np.ascontiguousarray(np.rot90(PIXELS)))
    exif = Image.Exif()
    exif[0x112] = 6  # turn it clockwise by 90 degrees
    sideways.info["exif"] = exif.tobytes()
    found = model().embed_images([clear, white, sideways, PIXELS])
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[2], found[3])


@pytest.mark.parametrize("shown", [{"a.png"}, (one for one in [PIXELS]), 3, None, torch.zeros(3, 3)])
def test_what_is_no_picture_is_named(shown: Any) -> None:
    for ask in (model().embed_images, model().generate):
        with pytest.raises(TypeError, match=f"several are a list or a tuple of them, not {type(shown).__name__}"):
            ask(shown)


def test_a_text_is_no_list_of_letters() -> None:
    asked = model()
    with pytest.raises(TypeError, match="labels: give a list of texts to choose among, not the text 'a red circle'"):
        asked.classify(PIXELS, "a red circle")
    assert asked.generate("a red circle", max_new_tokens=3) == asked.generate(["a red circle"], max_new_tokens=3)
    assert asked.score("a red", "circle") == asked.score(["a red"], ["circle"])


def test_nothing_to_choose_among_is_refused() -> None:
    asked = model()
    for labels in ([], {}):
        with pytest.raises(ValueError, match="labels: there is nothing to choose among"):
            asked.classify(PIXELS, labels)
    with pytest.raises(ValueError, match="candidates: there is nothing to score"):
        asked.score(["a"], [])
    assert asked.classify([], ["cat"]) == asked.classify([]) == model(by="head").classify([]) == []


def test_no_other_language_is_taken_for_one_of_the_two() -> None:
    for labels in (["cat"], {"cat": "a cat"}, None):
        with pytest.raises(RecipeError, match="labels are put into sentences in en or zh, not in 'fr'"):
            model().classify(PIXELS, labels, language="fr")


def test_a_picture_is_classified_with_its_text() -> None:
    asked = model(by="head", with_text=True)
    one = asked.classify(PIXELS, texts="it purrs")
    assert one in LABELS
    assert asked.classify([PIXELS, PIXELS], texts=["it purrs"] * 2) == [one, one]
    with pytest.raises(RecipeError, match="classifies a picture together with its text"):
        asked.classify(PIXELS)
    with pytest.raises(ValueError, match="2 pictures and 1 texts: give as many of each"):
        asked.classify([PIXELS, PIXELS], texts="it purrs")
    with pytest.raises(ValueError, match="by the picture alone: leave `texts` out, or the labels"):
        asked.classify(PIXELS, ["cat", "dog"], texts="it purrs")


def test_texts_are_matched_with_a_picture() -> None:
    """By the head, one number for each pair."""
    asked, texts = asked_for("match", {}), ["a red circle", "二"]
    wanted = asked.predictor.logits("own", [PIXELS, PIXELS], texts)[:, 0].tolist()
    assert asked.match(PIXELS, texts) == asked.match([PIXELS, PIXELS], texts) == pytest.approx(wanted)
    assert asked.match(PIXELS, texts[1]) == pytest.approx(wanted[1])
    assert asked.match([PIXELS, PIXELS], texts[0]) == pytest.approx([wanted[0]] * 2)
    assert asked.match(PIXELS, []) == []
    with pytest.raises(ValueError, match="2 pictures and 3 texts: give as many of each"):
        asked.match([PIXELS, PIXELS], ["a", "b", "c"])
    with pytest.raises(RecipeError, match="not trained for the task match"):
        model().match(PIXELS, texts)


@pytest.mark.parametrize("with_text", [False, True])
def test_a_picture_has_the_tags_that_the_head_says_yes_to(with_text: bool) -> None:
    asked = asked_for("tag", {"tags": LABELS}, with_text=with_text)
    text = {"texts": "it purrs"} if with_text else {}
    logits = asked.predictor.logits("own", [PIXELS], ["it purrs"] if with_text else None)[0]
    wanted = [name for name, logit in zip(LABELS, logits, strict=True) if logit > 0]
    assert asked.tag(PIXELS, **text) == wanted
    assert asked.tag([PIXELS], **text) == [wanted]
    assert asked.tag([], **({"texts": []} if with_text else {})) == []
    with pytest.raises(RecipeError, match="with its text: give that" if with_text else "leave its text out"):
        asked.tag(PIXELS, **({} if with_text else {"texts": "it purrs"}))


@pytest.mark.parametrize("wrong", [5, None, [1], ["a", b"b"], b"", b"ab", {"a": "b"}])
def test_what_is_no_text_is_named(wrong: Any) -> None:
    asked = model()
    for ask in (asked.embed_texts, lambda texts: asked.answer(PIXELS, texts), lambda texts: asked.score("a", texts)):
        with pytest.raises(TypeError, match="give a text, or a list of texts, not (int|NoneType|bytes|dict)"):
            ask(wrong)


def test_the_command_takes_the_pictures_text(tiny_run: Path, tmp_path: Path) -> None:
    """Which this model, that compares pictures with texts, has no use for."""
    Image.fromarray(PIXELS).save(tmp_path / "one.png")
    words = ["classify", str(tiny_run), str(tmp_path / "one.png")]
    assert CliRunner().invoke(build_app(), words).exit_code == 0
    refused = CliRunner().invoke(build_app(), [*words, "--text", "it purrs"])
    assert isinstance(refused.exception, RecipeError)
    assert "leave its text out" in str(refused.exception)
    assert CliRunner().invoke(build_app(), [*words, "cat", "dog", "--text", "it purrs"]).exit_code == 2
