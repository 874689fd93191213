"""Causal language models of Transformers: the same logits, read from embeddings, at once or token by token."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests import checkpoints, tiny
from tuwen.core.errors import CheckpointError, RecipeError
from tuwen.core.rooms import build_part, find_part
from tuwen.language import LanguageContext, LanguageModel, causal_mask, positions_in
from tuwen.layers.int8 import Int8Linear, quantise
from tuwen.layers.pretrained import opening
from tuwen.models.config import ModelConfig, ModelContext
from tuwen.models.generate import Decoding, generate
from tuwen.models.model import VisionLanguageModel
from tuwen.prep.pretrained_tokens import pretrained_tokenizer
from tuwen.prep.tokens import Tokenizer
from tuwen.recipe.step import Step

EXACT = {"atol": 1e-5, "rtol": 1e-5}


def qwen(folder: Path) -> Path:
    from transformers import Qwen2Config

    return checkpoints.llama(folder, Qwen2Config, tie_word_embeddings=True, vocab_size=320)


def smollm(folder: Path) -> Path:
    """A Llama with more embeddings than its tokenizer has tokens, and tied ones."""
    return checkpoints.llama(folder, tie_word_embeddings=True, vocab_size=320)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "gpt2": checkpoints.gpt2,
    "llama": checkpoints.llama,
    "qwen": qwen,
    "smollm": smollm,
}


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES[request.param](tmp_path_factory.mktemp(request.param))


def language(folder: Path, **settings: Any) -> LanguageModel:
    context = LanguageContext(len(tokenizer(folder)), 64)
    return build_part("language", {"kind": "hf", "name": str(folder), **settings}, context).eval()


def tokenizer(folder: Path) -> Tokenizer:
    return pretrained_tokenizer(str(folder), None)


def theirs(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    with opening("the test"):
        return AutoModelForCausalLM.from_pretrained(folder).eval()


def logits(found: LanguageModel, ids: torch.Tensor) -> torch.Tensor:
    segments = torch.ones_like(ids)
    return found.logits(found(found.embed(ids), positions_in(segments), causal_mask(segments)))


@torch.no_grad()
def test_logits_of_a_prompt_of_text_are_those_of_transformers(folder: Path) -> None:
    words = tokenizer(folder)
    for text in checkpoints.TEXTS:
        ids = torch.tensor([words.encode(text)])
        wanted = theirs(folder)(input_ids=ids).logits[..., : len(words)]
        torch.testing.assert_close(logits(language(folder), ids), wanted, **EXACT)


def test_a_greedy_continuation_is_that_of_transformers(folder: Path) -> None:
    """With rows of other lengths beside it."""
    words, model = tokenizer(folder), theirs(folder)
    found = language(folder)
    prompts = [words.encode(text) for text in checkpoints.TEXTS]
    said = generate(
        found, [found.embed(torch.tensor(prompt)) for prompt in prompts], words.eos, Decoding(max_new_tokens=8)
    )
    for prompt, ours in zip(prompts, said, strict=True):
        given = torch.tensor([prompt])
        whole = model.generate(
            given, attention_mask=torch.ones_like(given), max_new_tokens=8, do_sample=False, pad_token_id=0
        )
        continued = whole[0, len(prompt) :].tolist()
        assert list(ours.ids) == (continued[: continued.index(words.eos)] if words.eos in continued else continued)


def test_it_is_built_again_without_its_files(folder: Path) -> None:
    part = find_part("language", "hf")
    brought = part.brings(part.Config(name=str(folder)))
    assert brought.tokenizer == (str(folder), None)
    complete = {"kind": "hf", **brought.config.model_dump(mode="json"), "name": "/gone"}
    again = build_part("language", complete, LanguageContext(len(tokenizer(folder)), 64, pretrained=False)).eval()
    first = language(folder)
    again.load_state_dict(first.state_dict())
    ids = torch.tensor([tokenizer(folder).encode("a red circle")])
    assert torch.equal(logits(again, ids), logits(first, ids))


@pytest.mark.parametrize("weights", ["bf16", "int8"])
def test_fewer_bits_take_less_memory_and_say_nearly_the_same(folder: Path, weights: str) -> None:
    whole, small = language(folder), language(folder, weights=weights)

    def size(model: nn.Module) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())

    layers = [layer for layer in small.modules() if isinstance(layer, Int8Linear)]
    saved = sum(3 * layer.weight.numel() - 4 * len(layer.scale) for layer in layers)
    assert size(small) == (size(whole) - saved if layers else size(whole) // 2)
    ids = torch.tensor([tokenizer(folder).encode("two blue squares")])
    wanted = logits(whole, ids)
    off = (logits(small, ids).float() - wanted).norm() / wanted.norm()
    assert 0 < off < 0.1


def vision_language(folder: Path, **settings: Any) -> VisionLanguageModel:
    torch.manual_seed(0)
    words = tokenizer(folder)
    image = {"kind": "vit", "width": 24, "depth": 1, "heads": 2}
    context = ModelContext(tiny.SIZE, (0.5,) * 3, (0.5,) * 3, len(words), words.max_length, {})
    config = {"image": image, "prefix": {"tokens": 2}, **settings}
    return VisionLanguageModel(ModelConfig(**config), context)


@pytest.mark.parametrize("weights", ["float32", "bf16", "int8"])
def test_a_picture_reaches_a_frozen_model_and_the_gradient_comes_back(folder: Path, weights: str) -> None:
    from tuwen.core.batch import Row
    from tuwen.prep.batches import Encoded, collate

    part = {"kind": "hf", "name": str(folder), "weights": weights}
    model = vision_language(folder, language=part, freeze=["language"])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items() if name.startswith("language.")}
    words = tokenizer(folder)
    asked, said = words.prompt("caption:"), words.answer("a red circle")
    rows = {"words": [Row(asked + said, [False] * len(asked) + [True] * len(said))]}
    image = tiny.scenes()["train"][0].image
    assert image is not None
    samples = [Encoded("a", tiny.IMAGES(image, "a", None), rows)]
    step = Step(model, {"captioning": tiny.objective({"kind": "captioning", "stream": "words"})}).train()
    loss = step(collate(samples, words.pad, frozenset({"words"})))["captioning"]
    loss.mean.backward()
    assert model.image_tower is not None
    assert all(p.grad is not None and p.grad.any() for p in model.image_tower.parameters())
    assert not any(p.requires_grad for p in model.language.parameters())  # type: ignore[union-attr]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items() if name in before)


@pytest.mark.parametrize("weights", ["bf16", "int8"])
def test_weights_of_few_bits_must_be_frozen(weights: str, tmp_path: Path) -> None:
    part = {"kind": "hf", "name": str(checkpoints.gpt2(tmp_path)), "weights": weights}
    with pytest.raises(RecipeError, match=r"model.language: .*add it to model.freeze"):
        vision_language(tmp_path, language=part)


def test_adapters_fit_any_of_them(folder: Path) -> None:
    """GPT-2 has linear layers of its own kind."""
    model = vision_language(folder, language={"kind": "hf", "name": str(folder)}, lora={"language": {"rank": 2}})
    learns = [name for name, p in model.named_parameters() if name.startswith("language.") and p.requires_grad]
    assert learns
    assert all("lora_" in name for name in learns)
    assert not any("lm_head" in name for name in learns) or "lm_head.weight" in dict(theirs(folder).named_parameters())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (checkpoints.bert, "bert is no causal language model"),
        (checkpoints.vit, "vit is no causal language model"),
        (lambda folder: checkpoints.gpt2(folder, n_positions=32), "reads 32 tokens at most"),
        (
            lambda folder: checkpoints.gpt2(folder, vocab_size=120),
            "the tokenizer has 300 tokens, .* embeddings for 120",
        ),
        (lambda folder: None, "cannot be read as a checkpoint"),
    ],
    ids=["bert", "vit", "short", "vocabulary", "empty"],
)
def test_what_does_not_fit_is_said(make: Callable[[Path], Any], said: str, tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(CheckpointError, match=said) as caught:
        build_part("language", {"kind": "hf", "name": str(tmp_path)}, LanguageContext(300, 64))
    assert str(tmp_path) in str(caught.value)


def test_a_model_that_scales_its_logits_is_refused(tmp_path: Path) -> None:
    from transformers import GraniteConfig

    def make(**settings: Any) -> Any:
        return GraniteConfig(logits_scaling=3.0, **settings)

    checkpoints.llama(tmp_path, make)
    with pytest.raises(CheckpointError, match="does more than read embeddings"):
        language(tmp_path)


def test_eight_bits_by_hand() -> None:
    layer = Int8Linear(torch.tensor([[1.0, -2.0], [0.0, 0.0]]), torch.tensor([0.5, 0.25]))
    assert layer.weight.tolist() == [[64, -127], [0, 0]]
    torch.testing.assert_close(layer(torch.tensor([[0.0, 1.0]])), torch.tensor([[-1.5, 0.25]]))
    x = torch.randn(5, 2, requires_grad=True)
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([[128 / 127, -2.0]]).expand(5, 2))


def test_tables_of_embeddings_stay_as_they_are() -> None:
    table = nn.Embedding(7, 4)
    tied, own = nn.Linear(4, 7, bias=False), nn.Linear(4, 4)
    tied.weight = table.weight
    model = nn.ModuleDict({"table": table, "tied": tied, "own": own})
    quantise(model)
    assert model["tied"] is tied
    assert isinstance(model["own"], Int8Linear)
