"""Which parts of a model learn: frozen ones, and ones with adapters."""

from typing import Any

import pytest
import torch

from tests import tiny
from tuwen.core.batch import Batch, Row
from tuwen.core.errors import RecipeError
from tuwen.models.lora import merged_state
from tuwen.models.model import VisionLanguageModel
from tuwen.prep.batches import Encoded, collate
from tuwen.recipe.step import Step
from tuwen.train.optimizers import Trainable
from tuwen.train.optimizers.adamw import Config, build

DROPOUT = {"head": {"reads": "image", "classes": 3, "dropout": 0.5}}


def trained(model: VisionLanguageModel, steps: int = 3) -> Any:
    """The model after a few steps of AdamW on captions and pairs, and its optimizer."""
    specs = {"contrastive": {"kind": "contrastive"}, "captioning": {"kind": "captioning", "stream": "words"}}
    step = Step(model, {name: tiny.objective(spec) for name, spec in specs.items()})
    step.train()
    (optimizer,) = build(Config(), Trainable(step, 0.05, (0.9, 0.98)))
    for _ in range(steps):
        optimizer.zero_grad()
        torch.stack([loss.sum for loss in step(batch()).values()]).sum().backward()
        for group in optimizer.param_groups:
            group["lr"] = 0.01
        optimizer.step()
    return optimizer


def batch() -> Batch:
    tokenizer = tiny.tokenizer()
    samples = []
    for sample in tiny.scenes()["train"][:4]:
        assert sample.image is not None
        said = sample.captions[0].text
        asked, answer = tokenizer.prompt("caption:"), tokenizer.answer(said)
        words = Row(asked + answer, [False] * len(asked) + [True] * len(answer))
        rows = {"retrieve": [Row(tokenizer.read(said))], "words": [words]}
        samples.append(Encoded(sample.key, tiny.IMAGES(sample.image, sample.key, None), rows))
    return collate(samples, tokenizer.pad, frozenset({"words"}))


def state(model: torch.nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("frozen", [["image"], ["text", "language"], ["embedding", "prefix"]])
def test_what_is_frozen_keeps_its_bytes_and_has_no_gradient_and_no_state(frozen: list[str]) -> None:
    model = tiny.model(freeze=frozen)
    attributes = {
        "image": ["image_tower."],
        "text": ["text_tower."],
        "language": ["language."],
        "prefix": ["prefix."],
        "embedding": ["image_projection.", "text_projection.", "logit_"],
    }
    inside = tuple(attribute for name in frozen for attribute in attributes[name])
    before = state(model)
    optimizer = trained(model)
    after = state(model)
    assert {name for name in before if name.startswith(inside)} <= {n for n in before if before[n] == after[n]}
    still = {id(p) for name, p in model.named_parameters() if name.startswith(inside)}
    assert still
    assert not still & {id(p) for p in optimizer.state}
    assert all(p.grad is None for p in model.parameters() if id(p) in still)
    learned = [n for n, p in model.named_parameters() if id(p) not in still and p.grad is not None]
    assert all(before[name] != after[name] for name in learned)


def test_the_gradient_flows_through_a_frozen_language_model_to_the_tower() -> None:
    model = tiny.model(freeze=["language"])
    step = Step(model, {"captioning": tiny.objective({"kind": "captioning", "stream": "words"})}).train()
    step(batch())["captioning"].sum.backward()
    assert model.image_tower is not None
    assert all(p.grad is not None and p.grad.any() for p in model.image_tower.parameters())


def test_a_frozen_part_computes_as_in_use_while_the_others_train() -> None:
    model = tiny.model(heads={**DROPOUT, "other": DROPOUT["head"]}, freeze=["heads.head"]).train()
    assert model.heads["other"].training
    assert not any(module.training for module in model.heads["head"].modules())
    assert not model.eval().heads["other"].training


def test_adapters_change_nothing_at_first_and_are_all_that_learns() -> None:
    plain, model = tiny.model(), tiny.model(lora={"text": {"rank": 2}})
    names = [name for name, p in model.named_parameters() if name.startswith("text_tower.") and p.requires_grad]
    assert names
    assert all(".lora_A." in name or ".lora_B." in name for name in names)
    pairs = [plain(batch()).text("retrieve").pooled, model(batch()).text("retrieve").pooled]
    torch.testing.assert_close(pairs[1], pairs[0])
    weights = {name: p.detach().clone() for name, p in model.named_parameters() if "base_layer" in name}
    trained(model)
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters() if name in weights)
    assert not torch.allclose(model.eval()(batch()).text("retrieve").pooled, pairs[0])


def test_merged_weights_do_without_adapters_what_the_model_does_with_them() -> None:
    model = tiny.model(lora={"text": {"rank": 2, "alpha": 3}, "image": {"targets": ["qkv", "up"]}})
    trained(model)
    plain = tiny.model(seed=1)
    plain.load_state_dict(merged_state(model))
    model.eval()
    mine, its = model(batch()), plain(batch())
    torch.testing.assert_close(its.image_embedding, mine.image_embedding, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(its.text_embedding("retrieve"), mine.text_embedding("retrieve"), atol=1e-5, rtol=1e-5)


def test_a_model_without_adapters_is_its_own_merged_state() -> None:
    model = tiny.model()
    merged = merged_state(model)
    assert merged.keys() == model.state_dict().keys()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"freeze": ["txt"]}, "model.freeze: this model has no part 'txt'; .* Did you mean 'text'"),
        ({"freeze": ["heads.label"]}, "no part 'heads.label'"),
        ({"lora": {"vision": {}}}, "model.lora: this model has no part 'vision'"),
        ({"lora": {"text": {}}, "freeze": ["text"]}, "text has adapters under model.lora"),
        ({"lora": {"text": {"targets": ["q_proj"]}}}, "model.lora.text.targets: no linear layer.*q_proj.*qkv"),
    ],
)
def test_what_cannot_be_is_said(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        tiny.model(**settings)
