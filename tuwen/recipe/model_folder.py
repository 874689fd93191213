"""The folder of a trained model: weights, recipe, tokenizer, preprocessing and vocabulary, with a hash of each.

All that decides what a model does travels together, so that use cannot differ from training. The files are written
beside their places and moved there at the end, the manifest last, so that a folder is complete or says that it is not.
Nothing is ever unpickled.

    model.safetensors    weights; tied ones once
    recipe.yaml          the resolved recipe
    tokenizer.json       as `tokenizers` writes it; absent where the model reads no text
    special_tokens.json  the special tokens of a pretrained tokenizer; absent where they are the usual ones
    preprocessing.json   how a picture becomes pixels
    vocabulary.json      the classes of each head, in the order of their numbers
    manifest.json        the format, the version of Tuwen, and the size and SHA-256 of each file above
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError

import tuwen
from tuwen.core.errors import CheckpointError
from tuwen.prep.images import ImageConfig

if TYPE_CHECKING:
    from torch import Tensor

    from tuwen.prep.tokens import Tokenizer

FORMAT = 2
"""To be raised when an older Tuwen could not read the folder any more: since 2, a CNN may have the weight `place`."""

FileName = Literal[
    "model.safetensors",
    "recipe.yaml",
    "tokenizer.json",
    "special_tokens.json",
    "preprocessing.json",
    "vocabulary.json",
]
WEIGHTS: FileName = "model.safetensors"
RECIPE: FileName = "recipe.yaml"
TOKENIZER: FileName = "tokenizer.json"
SPECIAL_TOKENS: FileName = "special_tokens.json"
PREPROCESSING: FileName = "preprocessing.json"
VOCABULARY: FileName = "vocabulary.json"
FILES = (WEIGHTS, RECIPE, TOKENIZER, SPECIAL_TOKENS, PREPROCESSING, VOCABULARY)
OPTIONAL = {TOKENIZER, SPECIAL_TOKENS}
MANIFEST = "manifest.json"
STAGING = ".saving-"


class FileRecord(BaseModel):
    """One file as it was saved. size: in bytes; sha256: in hexadecimal digits."""

    size: int
    sha256: str


class Manifest(BaseModel):
    """What a model folder holds. format: of the folder; version: of the Tuwen that wrote it."""

    format: int
    version: str
    files: dict[FileName, FileRecord]


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model folder whose files are all there and unchanged."""

    folder: Path
    manifest: Manifest

    @property
    def recipe(self) -> Path:
        """The file of the resolved recipe."""
        return self.folder / RECIPE

    @property
    def tokenizer(self) -> Path | None:
        """The tokenizer's file, for `Tokenizer.load`; None where the model reads no text."""
        return self.folder / TOKENIZER if TOKENIZER in self.manifest.files else None

    def weights(self) -> dict[str, Tensor]:
        """The state dict, on the CPU."""
        from safetensors import safe_open

        with safe_open(str(self.folder / WEIGHTS), framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            tied = json.loads((file.metadata() or {}).get("tied", "{}"))
        return weights | {alias: weights[name] for alias, name in tied.items()}

    def preprocessing(self) -> ImageConfig:
        """How a picture becomes pixels."""
        return ImageConfig.model_validate_json((self.folder / PREPROCESSING).read_text(encoding="utf-8"))

    def vocabulary(self) -> dict[str, list[str]]:
        """The classes of each vocabulary, in the order of their numbers."""
        content: dict[str, list[str]] = json.loads((self.folder / VOCABULARY).read_text(encoding="utf-8"))
        return content


def save_model(
    folder: Path,
    *,
    weights: Mapping[str, Tensor],
    recipe: str,
    tokenizer: Tokenizer | None,
    preprocessing: ImageConfig,
    vocabulary: Mapping[str, Sequence[str]],
) -> ModelFolder:
    """Write a trained model into `folder`, in place of an earlier model; where it cannot, the earlier one stays whole.

    Args:
        folder: made where it does not exist.
        weights: the model's state dict, on any device.
        recipe: the resolved recipe as YAML.
        tokenizer: None where the model reads no text.
        preprocessing: how pictures were made pixels.
        vocabulary: the classes of each head's vocabulary (`labels`, `answers`), in the order of their numbers.

    Raises:
        CheckpointError: it cannot be written (no permission, the disk is full).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob(f"{STAGING}*"):
            shutil.rmtree(stale)
        with tempfile.TemporaryDirectory(prefix=STAGING, dir=folder) as name:
            staging = Path(name)
            _write_weights(weights, staging / WEIGHTS)
            (staging / RECIPE).write_text(recipe, encoding="utf-8")
            _write_json(preprocessing.model_dump(mode="json"), staging / PREPROCESSING)
            _write_json({key: list(classes) for key, classes in vocabulary.items()}, staging / VOCABULARY)
            if tokenizer is not None:
                tokenizer.save(staging / TOKENIZER)
            return _put_in_place(staging, folder)
    except OSError as error:
        raise CheckpointError(f"{folder}: the model cannot be saved: {error.strerror or error}.") from error


def read_model(folder: Path) -> ModelFolder:
    """Open a model folder, after checking that every file is there, whole and unchanged.

    Raises:
        CheckpointError: there is no model, or it is half-written, changed, or made by a newer Tuwen.
    """
    manifest = _read_manifest(folder)
    lost = sorted(set(FILES) - OPTIONAL - manifest.files.keys())
    if lost:
        raise CheckpointError(f"{folder / MANIFEST}: does not speak of {', '.join(lost)}: save the model again.")
    for name, record in manifest.files.items():
        _check(folder / name, record)
    return ModelFolder(folder, manifest)


def _put_in_place(staging: Path, folder: Path) -> ModelFolder:
    files: dict[FileName, FileRecord] = {}
    for name in FILES:
        if (staging / name).exists():
            _flush(staging / name)
            files[name] = FileRecord(size=(staging / name).stat().st_size, sha256=_sha256(staging / name))
    manifest = Manifest(format=FORMAT, version=tuwen.__version__, files=files)
    _write_json(manifest.model_dump(mode="json"), staging / MANIFEST)
    _flush(staging / MANIFEST)
    for written in (*files, MANIFEST):
        os.replace(staging / written, folder / written)
    return ModelFolder(folder, manifest)


def _write_weights(weights: Mapping[str, Tensor], file: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    kept: dict[str, Tensor] = {}
    tied: dict[str, str] = {}
    seen: dict[object, str] = {}
    for name, tensor in weights.items():
        same = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() and same in seen:
            tied[name] = seen[same]
        else:
            seen[same] = name
            kept[name] = tensor.detach().to("cpu", copy=True).contiguous()
    try:
        save_file(kept, str(file), metadata={"tied": json.dumps(tied)})  # one key: their order would be random
    except SafetensorError as error:
        raise CheckpointError(f"{file.parent.parent}: the weights cannot be saved: {error}.") from error


def _write_json(content: Any, file: Path) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _flush(file: Path) -> None:
    """Wait until the file is on the disk, so that it is whole even if the machine stops."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _read_manifest(folder: Path) -> Manifest:
    file = folder / MANIFEST
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder}: there is no such folder of a trained model; `tuwen quickstart` makes one in runs/quickstart."
        )
    if not file.is_file():
        if not (folder / RECIPE).exists():
            raise CheckpointError(f"{folder}: not the folder of a run ({MANIFEST} and {RECIPE} are missing).")
        state = "half-written" if (folder / WEIGHTS).exists() else "without a finished model"
        raise CheckpointError(
            f"{folder}: {state} ({MANIFEST} is missing); finish the training: tuwen pretrain {folder} --resume"
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        made = content["format"]
        if made > FORMAT:
            raise CheckpointError(
                f"{file}: format {made}, written by Tuwen {content.get('version')}, but {tuwen.__version__} reads "
                f"formats up to {FORMAT}: install a newer one."
            )
        return Manifest.model_validate(content)
    except (ValueError, TypeError, KeyError, ValidationError) as error:
        raise CheckpointError(f"{file}: damaged ({type(error).__name__}): save the model again.") from error


def _check(file: Path, record: FileRecord) -> None:
    if not file.is_file():
        raise CheckpointError(f"{file}: missing: copy the whole folder, or save the model again.")
    size = file.stat().st_size
    if size != record.size:
        sizes = f"{size} bytes where {record.size} were saved"
        raise CheckpointError(f"{file}: {sizes}: half-written, or changed by hand; copy the folder again.")
    if _sha256(file) != record.sha256:
        raise CheckpointError(f"{file}: its SHA-256 is not the one that was saved: changed by hand, or damaged.")
