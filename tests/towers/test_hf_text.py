"""Text encoders of Transformers, with their own tokenizers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import checkpoints
from tuwen.core.errors import CheckpointError, TuwenError
from tuwen.core.rooms import build_part, find_part
from tuwen.layers.pretrained import opening
from tuwen.prep.pretrained_tokens import pretrained_tokenizer
from tuwen.prep.tokens import Tokenizer
from tuwen.towers.text import TextContext, TextTower

EXACT = {"atol": 1e-5, "rtol": 1e-5}
FAMILIES = {name: getattr(checkpoints, name) for name in ("bert", "roberta", "clip")}
TEXTS = [*checkpoints.TEXTS, "blue", "a red [SEP] circle"]


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES[request.param](tmp_path_factory.mktemp(request.param))


def tower(folder: Path, tokenizer: Tokenizer | None = None, **settings: Any) -> TextTower:
    tokenizer = tokenizer or pretrained_tokenizer(str(folder), None)
    context = TextContext(len(tokenizer), tokenizer.max_length)
    return build_part("towers.text", {"kind": "hf", "name": str(folder), **settings}, context).eval()


def theirs(folder: Path) -> Any:
    from transformers import AutoModel

    with opening("the test"):
        model = AutoModel.from_pretrained(folder).eval()
    return getattr(model, "text_model", model)


def rows(tokenizer: Tokenizer, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    read = [tokenizer.read(text) for text in texts]
    longest = max(map(len, read))
    ids = torch.tensor([row + [tokenizer.pad] * (longest - len(row)) for row in read])
    return ids, torch.tensor([[place < len(row) for place in range(longest)] for row in read])


def test_outputs_are_those_of_transformers(folder: Path) -> None:
    from transformers import AutoTokenizer

    found, tokenizer = tower(folder), pretrained_tokenizer(str(folder), None)
    ids, mask = rows(tokenizer, TEXTS)
    with opening("the test"):
        own = AutoTokenizer.from_pretrained(folder)
    plain = [text for text in TEXTS if "[" not in text]
    given = own(plain, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        features, wanted = found(ids, mask), theirs(folder)(**given)
    for number, text in enumerate(TEXTS):
        if text in plain:
            row, length = plain.index(text), int(mask[number].sum())
            assert ids[number, :length].tolist() == given["input_ids"][row][given["attention_mask"][row] > 0].tolist()
            torch.testing.assert_close(
                features.tokens[number, :length], wanted.last_hidden_state[row, :length], **EXACT
            )
            torch.testing.assert_close(features.pooled[number], wanted.pooler_output[row], **EXACT)


def test_what_stands_in_padded_places_changes_nothing(folder: Path) -> None:
    found, tokenizer = tower(folder), pretrained_tokenizer(str(folder), None)
    ids, mask = rows(tokenizer, TEXTS)
    other = torch.where(mask, ids, (ids + 7) % len(tokenizer))
    torch.testing.assert_close(found(other, mask).pooled, found(ids, mask).pooled, **EXACT)
    alone = torch.cat([found(*rows(tokenizer, [text])).pooled for text in TEXTS])
    torch.testing.assert_close(alone, found(ids, mask).pooled, **EXACT)


def test_special_tokens_in_a_text_are_text(folder: Path) -> None:
    tokenizer = pretrained_tokenizer(str(folder), None)
    name = tokenizer.backend.id_to_token(tokenizer.eos)
    assert tokenizer.eos not in tokenizer.encode(f"a {name} b")


def test_the_tokenizer_is_the_same_after_saving(folder: Path, tmp_path: Path) -> None:
    tokenizer = pretrained_tokenizer(str(folder), None, 12)
    tokenizer.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json", 12)
    assert again.marks == tokenizer.marks
    for text in TEXTS:
        assert again.read(text) == tokenizer.read(text)
        assert again.prompt(text) == tokenizer.prompt(text)
        assert again.answer(text) == tokenizer.answer(text)
        assert len(tokenizer.read(text * 9)) == 12


def test_it_is_built_again_without_its_files(folder: Path) -> None:
    part = find_part("towers.text", "hf")
    complete = part.brings(part.Config(name=str(folder))).config.model_dump(mode="json")
    tokenizer = pretrained_tokenizer(str(folder), None)
    context = TextContext(len(tokenizer), tokenizer.max_length, pretrained=False)
    again = build_part("towers.text", {"kind": "hf", **complete, "name": "/gone"}, context).eval()
    first = tower(folder)
    again.load_state_dict(first.state_dict())
    ids, mask = rows(tokenizer, TEXTS)
    assert torch.equal(again(ids, mask).pooled, first(ids, mask).pooled)


@pytest.mark.parametrize("mode", ["cls_token", "mean_tokens", "lasttoken"])
def test_a_sentence_encoder_pools_as_its_files_say(mode: str, tmp_path: Path) -> None:
    checkpoints.bert(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    part = {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}
    (tmp_path / "modules.json").write_text(json.dumps([part]))
    modes = {f"pooling_mode_{name}": name == mode for name in ("cls_token", "mean_tokens", "max_tokens", "lasttoken")}
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 16, **modes}))
    found = tower(tmp_path)
    ids, mask = rows(pretrained_tokenizer(str(tmp_path), None), TEXTS)
    features = found(ids, mask)
    for row, there, pooled in zip(features.tokens, mask, features.pooled, strict=True):
        real = row[there]
        wanted = {"cls_token": real[0], "mean_tokens": real.mean(0), "lasttoken": real[-1]}[mode]
        torch.testing.assert_close(pooled, wanted, **EXACT)
    features.pooled.sum().backward()
    assert all(p.grad is not None for p in found.parameters() if p.requires_grad)


def bigger_vocabulary(folder: Path) -> None:
    checkpoints.bert(folder, vocab_size=40)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (checkpoints.resnet, "reads no texts"),
        (checkpoints.gpt2, "is a language model; name it under model.language"),
        (bigger_vocabulary, "the tokenizer has 75 tokens, and the model embeddings for 40"),
        (checkpoints.siglip, "reads the padding behind a text.*set pool: last"),
        (lambda folder: None, "cannot be read as a checkpoint"),
    ],
    ids=["resnet", "gpt2", "vocabulary", "siglip", "empty"],
)
def test_what_does_not_fit_is_said(make: Callable[[Path], Any], said: str, tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(CheckpointError, match=said) as caught:
        build_part("towers.text", {"kind": "hf", "name": str(tmp_path)}, TextContext(75, 12))
    assert str(tmp_path) in str(caught.value)


def test_a_text_longer_than_its_positions_is_said(tmp_path: Path) -> None:
    checkpoints.bert(tmp_path)
    with pytest.raises(CheckpointError, match="reads texts of 30 tokens at most: set tokenizer.max_length"):
        pretrained_tokenizer(str(tmp_path), None, 31)
    with pytest.raises(CheckpointError, match="cannot read texts of 41 tokens"):
        build_part("towers.text", {"kind": "hf", "name": str(tmp_path)}, TextContext(75, 41))


def test_a_checkpoint_without_a_tokenizer_is_said(tmp_path: Path) -> None:
    checkpoints.vit(tmp_path)
    with pytest.raises(TuwenError, match="cannot be read as a checkpoint"):
        pretrained_tokenizer(str(tmp_path), None)
