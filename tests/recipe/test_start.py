"""A model that starts from a trained one: what is carried over, what is new, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import tuwen
from tests import tiny
from tuwen.core.errors import CheckpointError, RecipeError
from tuwen.core.sample import Sample
from tuwen.models.config import HeadConfig
from tuwen.models.model import VisionLanguageModel
from tuwen.prep.images import ImageConfig
from tuwen.recipe.build import System, build_system
from tuwen.recipe.schema import load_recipe
from tuwen.recipe.sources import build_data
from tuwen.recipe.start import ONLY_IN_TRAINING, bare_state, begin_as_zero_shot, carry, part_of

HEADS: dict[str, Any] = {"label": {"reads": "image", "classes": "labels"}}
BY_HEAD = ("tasks.classify={by: head, head: label}", "objectives.classification={head: label}")


def system(run: Path, *sets: str) -> System:
    """What a recipe would train that starts from the run's model."""
    recipe = load_recipe(run, sets=[f"start.run={run}", *sets]).recipe
    return build_system(recipe, build_data(recipe))


def test_the_model_begins_with_the_trained_weights_and_tokenizer(tiny_run: Path) -> None:
    begun, trained = system(tiny_run, "seed=7", "tokenizer.sample=100"), tuwen.load(tiny_run)
    weights = trained.system.model.state_dict()
    for name, tensor in begun.model.state_dict().items():  # the head over answers has other classes, fewer were found
        assert part_of(name) == "heads.answer" or torch.equal(tensor, weights[name]), name
    text = "two small red circles 两个红色圆形"
    assert begun.tokenizer.read(text) == trained.system.tokenizer.read(text)
    assert begun.model.training, "it is about to be trained"
    assert any(note.startswith(f"Started from {tiny_run}: embedding, ") for note in begun.notes), begun.notes


def test_what_is_new_and_what_is_left_is_said(tiny_run: Path) -> None:
    out = ["model.language=null", "tasks.caption=null", "objectives.captioning=null"]
    begun = system(tiny_run, f"model.heads.label={HEADS['label']}", *out)
    assert "New: heads.label. Not taken over: language, prefix." in begun.notes[-1]


def test_a_part_with_other_settings_is_refused(tiny_run: Path) -> None:
    with pytest.raises(RecipeError, match=r"start: model.text is not the one in .*blocks\.1\..* is absent there"):
        system(tiny_run, "model.text.depth=2")
    with pytest.raises(RecipeError, match=r"model.embedding is not the one .* is .* there and \[48, .*\] here"):
        system(tiny_run, "model.embedding=48")


def test_pictures_must_be_prepared_as_they_were(tiny_run: Path) -> None:
    with pytest.raises(RecipeError, match=r"image.resize: 'pad', but the model in .* was trained with 'squash'"):
        system(tiny_run, "image.resize=pad")
    assert system(tiny_run, "image.augment=shift").images.config.augment == "shift"


IN_USE = {"size", "resize", "shortest", "interpolation", "background", "exact", "mean", "std"}
"""Settings of pictures that change what a model sees."""


def test_what_only_training_does_to_pictures_may_be_chosen_anew(tiny_run: Path) -> None:
    for setting in ("rotate=10", "view={}", "max_megapixels=3"):
        system(tiny_run, f"image.{setting}")
    assert set(ONLY_IN_TRAINING) == ImageConfig.model_fields.keys() - IN_USE, (
        "a new setting is of one kind or the other"
    )


def test_a_missing_run_is_a_message(tiny_run: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such folder of a trained model"):
        system(tiny_run, "start.run=nowhere")


def test_the_rows_of_a_head_go_by_the_names_of_their_classes() -> None:
    old, new = tiny.model(labels=3, seed=1, heads=HEADS), tiny.model(labels=4, seed=2, heads=HEADS)
    random = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    words, own = {"labels": ["cat", "dog", "fox"]}, {"labels": ["ant", "fox", "cat", "owl"]}
    carried = carry(old.state_dict(), words, new, own, "there")
    assert "heads.label" in carried.parts
    for kind in ("weight", "bias"):
        before, after, fresh = (
            state[f"heads.label.0.{kind}"] for state in (old.state_dict(), new.state_dict(), random)
        )
        assert torch.equal(after, torch.stack([fresh[0], before[2], before[0], fresh[3]]))


def test_a_head_over_other_classes_is_new() -> None:
    old, new = tiny.model(labels=3, seed=1, heads=HEADS), tiny.model(labels=3, seed=2, heads=HEADS)
    fresh = new.state_dict()["heads.label.0.weight"].clone()
    carried = carry(old.state_dict(), {"labels": ["a", "b", "c"]}, new, {"labels": ["d", "e", "f"]}, "there")
    assert carried.new == ("heads.label",)
    assert torch.equal(new.state_dict()["heads.label.0.weight"], fresh)


def test_a_head_keeps_its_layers_whatever_stands_before_them() -> None:
    words = {"labels": ["a", "b", "c"]}
    hidden = {"label": {**HEADS["label"], "hidden": 8}}
    old = tiny.model(labels=3, seed=1, heads=hidden)
    new = tiny.model(labels=3, seed=2, heads={"label": {**hidden["label"], "dropout": 0.5}})
    assert "heads.label" in carry(old.state_dict(), words, new, words, "there").parts
    before, after = (torch.cat([p.flatten() for p in model.head("label").parameters()]) for model in (old, new))
    assert torch.equal(before, after)


@pytest.mark.parametrize("hidden", [None, 4])
def test_a_head_with_other_layers_is_refused(hidden: int | None) -> None:
    words = {"labels": ["a", "b", "c"]}
    old = tiny.model(labels=3, heads={"label": {**HEADS["label"], "hidden": 8}})
    new = tiny.model(labels=3, heads={"label": {**HEADS["label"], "hidden": hidden}})
    with pytest.raises(RecipeError, match=r"model.heads.label has other layers .* the same `hidden`"):
        carry(old.state_dict(), words, new, words, "there")


def test_weights_find_their_place_under_adapters() -> None:
    old, new = tiny.model(seed=1), tiny.model(seed=2, lora={"text": {"rank": 2}})
    carry(old.state_dict(), {}, new, {}, "there")
    bare = bare_state(new)
    assert {name: tensor.tolist() for name, tensor in bare.items()} == {
        name: tensor.tolist() for name, tensor in old.state_dict().items()
    }


def test_a_head_begins_as_the_zero_shot_classifier(tiny_run: Path) -> None:
    begun = system(tiny_run, *BY_HEAD, f"model.heads.label={HEADS['label']}", "start.zero_shot=[label]")
    pictures = [sample.image for sample in tiny.scenes()["test"] if sample.image is not None]
    texts = begun.tasks["classify"].class_texts  # type: ignore[attr-defined]
    predictor = begun.predictor()
    embedded = torch.stack([predictor.embed_texts(list(each.values())) for each in texts.values()]).mean(0)
    cosine = predictor.embed_images(pictures) @ torch.nn.functional.normalize(embedded, dim=-1).T
    logits = predictor.logits("label", pictures)
    assert torch.equal(logits.argmax(-1), cosine.argmax(-1))
    ratio = logits.norm() / (cosine * begun.model.logit_scale.exp()).norm()  # type: ignore[union-attr]
    assert 0.5 < ratio.item() < 2, "about as sharp as the comparison with the texts"


def test_the_zero_shot_classifier_leaves_out_pictures_that_cannot_be_read(tiny_run: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), "red").save(tmp_path / "whole.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    predictor = tuwen.load(tiny_run).system.predictor()
    predictor.model.heads["label"] = torch.nn.Sequential(torch.nn.Linear(predictor.model.image_tower.width, 2))
    predictor.model.config.heads["label"] = HeadConfig(**HEADS["label"])
    samples = [Sample(name, image=tmp_path / f"{name}.png") for name in ("broken", "whole")]
    begin_as_zero_shot(predictor, "label", [["a red circle", "a cat"]], samples)
    assert predictor.model.heads["label"][0].weight.isfinite().all()  # type: ignore[index]


def test_zero_shot_needs_a_plain_head_on_pictures(tiny_run: Path) -> None:
    with pytest.raises(RecipeError, match="start.zero_shot: no task classifies by the head 'other'"):
        system(tiny_run, f"model.heads.other={HEADS['label']}", "start.zero_shot=[other]")
    head = "model.heads.label={reads: image, classes: labels, hidden: 8}"
    with pytest.raises(RecipeError, match="must read `image`, without a hidden layer"):
        system(tiny_run, *BY_HEAD, head, "start.zero_shot=[label]")


def test_every_weight_belongs_to_a_part_that_a_recipe_can_name() -> None:
    model: VisionLanguageModel = tiny.model(heads=HEADS)
    named = {"image", "text", "fusion", "language", "prefix", "embedding", "heads.label"}
    assert {part_of(name) for name in model.state_dict()} == named
