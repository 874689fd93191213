"""A model folder is whole and unchanged, or says in which way it is not."""

import json
from pathlib import Path

import pytest
import torch

from tuwen.core.errors import CheckpointError
from tuwen.prep.images import ImageConfig
from tuwen.prep.tokens import Tokenizer, TokenizerConfig
from tuwen.recipe import model_folder
from tuwen.recipe.model_folder import (
    FILES,
    FORMAT,
    MANIFEST,
    SPECIAL_TOKENS,
    STAGING,
    ModelFolder,
    read_model,
    save_model,
)

IMAGE = ImageConfig(size=48, mean=(0.1, 0.2, 1 / 3))
VOCABULARY = {"answers": ["yes", "no", "红色"], "labels": []}
RECIPE = "seed: 3  # 图\n"
WRITTEN = [name for name in FILES if name != SPECIAL_TOKENS]
"""By a model whose tokenizer was learned here."""


def save(folder: Path, value: float = 1.0, text: bool = True) -> ModelFolder:
    shared = torch.full((3, 2), value)
    weights = {"embed": shared, "head": shared, "half": torch.ones(2, dtype=torch.bfloat16), "steps": torch.tensor(7)}
    tokenizer = Tokenizer.train(["a red circle", "一个红色的圆"], TokenizerConfig(vocab_size=300)) if text else None
    return save_model(
        folder, weights=weights, recipe=RECIPE, tokenizer=tokenizer, preprocessing=IMAGE, vocabulary=VOCABULARY
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(tmp_path / "runs" / "mine").folder


def test_what_is_saved_is_read_back(folder: Path) -> None:
    model = read_model(folder)
    assert model.recipe.read_text(encoding="utf-8") == RECIPE
    assert model.preprocessing() == IMAGE
    assert model.vocabulary() == VOCABULARY
    assert model.tokenizer is not None
    tokenizer = Tokenizer.load(model.tokenizer, max_length=16)
    assert tokenizer.decode(tokenizer.encode("一个红色的圆")) == "一个红色的圆"
    weights = model.weights()
    assert weights["half"].dtype == torch.bfloat16
    assert weights["steps"].item() == 7
    torch.testing.assert_close(weights["embed"], torch.ones(3, 2), rtol=0, atol=0)
    assert sorted(file.name for file in folder.iterdir()) == sorted([*WRITTEN, MANIFEST])


def test_tied_weights_are_stored_once_and_come_back_tied(folder: Path) -> None:
    weights = read_model(folder).weights()
    assert weights["head"].data_ptr() == weights["embed"].data_ptr()


def test_weights_that_overlap_in_part_are_stored_apart(tmp_path: Path) -> None:
    whole = torch.arange(6.0).reshape(2, 3)
    weights = {"whole": whole, "row": whole[0], "turned": whole.T}
    save_model(tmp_path, weights=weights, recipe="", tokenizer=None, preprocessing=IMAGE, vocabulary={})
    read = read_model(tmp_path).weights()
    assert all(torch.equal(read[name], weights[name]) for name in weights)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = save(tmp_path / "a"), save(tmp_path / "b")
    assert first.manifest == second.manifest
    assert (tmp_path / "a" / MANIFEST).read_bytes() == (tmp_path / "b" / MANIFEST).read_bytes()


def test_a_model_that_reads_no_text_has_no_tokenizer(tmp_path: Path) -> None:
    save(tmp_path, text=False)
    assert read_model(tmp_path).tokenizer is None


def test_saving_again_replaces_the_model_and_leaves_other_files(folder: Path) -> None:
    (folder / "metrics.json").write_text("{}")
    (folder / f"{STAGING}killed").mkdir()
    (folder / f"{STAGING}killed" / "model.safetensors").write_bytes(b"half")
    save(folder, value=2.0)
    assert read_model(folder).weights()["embed"][0, 0] == 2
    assert sorted(file.name for file in folder.iterdir()) == sorted([*WRITTEN, MANIFEST, "metrics.json"])


def test_a_full_disk_leaves_the_earlier_model_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(content: object, file: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_folder, "_write_json", full)
    with pytest.raises(CheckpointError, match="mine: the model cannot be saved: No space left on device"):
        save(folder, value=2.0)
    assert read_model(folder).weights()["embed"][0, 0] == 1
    assert not list(folder.glob(f"{STAGING}*"))


@pytest.mark.parametrize("name", WRITTEN)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name}: missing"):
        read_model(folder)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_that_was_cut_or_changed_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    with pytest.raises(CheckpointError, match=rf"{name}: {len(content) - 1} bytes where {len(content)} were saved"):
        read_model(folder)
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=f"{name}: its SHA-256 is not the one that was saved"):
        read_model(folder)


def test_a_folder_without_a_model_says_what_to_do(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere: there is no such folder .*tuwen quickstart"):
        read_model(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"not the folder of a run"):
        read_model(tmp_path)
    (tmp_path / "recipe.yaml").write_text("seed: 1\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"without a finished model .*--resume"):
        read_model(tmp_path)
    (folder / MANIFEST).unlink()
    with pytest.raises(CheckpointError, match=r"half-written .*--resume"):
        read_model(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 1}', '{"format": "x"}', "null", "\ud800"])
def test_a_damaged_manifest_is_told(folder: Path, content: str) -> None:
    (folder / MANIFEST).write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(CheckpointError, match=r"manifest.json: damaged"):
        read_model(folder)


def test_a_manifest_cannot_point_outside(folder: Path) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    content["files"]["../../secret"] = {"size": 1, "sha256": ""}
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="damaged"):
        read_model(folder)


def test_a_manifest_that_forgets_a_file_is_told(folder: Path) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    del content["files"]["preprocessing.json"]
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"does not speak of preprocessing.json"):
        read_model(folder)


def test_a_newer_format_asks_for_a_newer_tuwen(folder: Path) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    content |= {"format": FORMAT + 1, "version": "9.1", "files": {"something.new": 3}}
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=rf"format {FORMAT + 1}, written by Tuwen 9.1, .* install a newer one"):
        read_model(folder)
