"""Checkpoints in the format of Hugging Face Transformers: opened, checked, and built again without their files.

A checkpoint is a folder, or a name on the hub. What decides how it computes, its configuration, is a plain mapping that
a recipe can hold: so a trained model is built again from its own folder alone. Weights are read from safetensors only,
and no code that lies beside them is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import nn

from tuwen.core.errors import CheckpointError
from tuwen.core.rooms import PartConfig

_NOT_ARCHITECTURE = ("id2label", "label2id", "architectures", "transformers_version", "_name_or_path", "dtype")
"""Entries of a configuration that change nothing of what an encoder computes."""


class PretrainedConfig(PartConfig):
    """Settings of every part that is read from a checkpoint.

    name: a folder, or a name on the hub. revision: a branch, tag or commit of the hub's repository.
    architecture: the configuration of the model, with its `model_type`. It is taken from the checkpoint; given without
        a `name`, the model begins with random weights.
    """

    name: str | None = None
    revision: str | None = None
    architecture: dict[str, Any] | None = Field(default=None)

    @model_validator(mode="after")
    def _something(self) -> PretrainedConfig:
        if self.name is None and self.architecture is None:
            raise ValueError("say which checkpoint with `name: …` (a folder, or a name on the hub)")
        return self


class Loaded(NamedTuple):
    """A model from a checkpoint, and the names of its weights that the checkpoint does not have."""

    model: nn.Module
    missing: frozenset[str]


def folder_of(name: str) -> str:
    """A checkpoint's name as Transformers wants it: `~` is the home folder.

    Raises:
        CheckpointError: it is a path, and there is no such folder.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return str(path)
    if path.exists():
        raise CheckpointError(f"{name}: is a file; name the folder of a checkpoint, or a checkpoint on the hub.")
    if name.startswith((".", "~", "/")) or name.count("/") > 1 or "\\" in name:
        raise CheckpointError(f"{name}: there is no such folder; name one with config.json and model.safetensors.")
    return name


def read_architecture(name: str, revision: str | None) -> dict[str, Any]:
    """The configuration of a checkpoint.

    Raises:
        CheckpointError: there is none, or Transformers does not know its kind.
    """
    from transformers import AutoConfig

    with opening(name):
        config = AutoConfig.from_pretrained(folder_of(name), revision=revision)
    return {key: value for key, value in config.to_diff_dict().items() if key not in _NOT_ARCHITECTURE}


def load_model(name: str, revision: str | None, family: Any = None, shapes_only: bool = False) -> Loaded:
    """A model with its weights, in float32.

    Args:
        name: a folder, or a name on the hub.
        revision: of the hub's repository.
        family: one of Transformers' Auto classes; AutoModel where None.
        shapes_only: read which weights there are, and not the weights: the model is on the device `meta`.

    Raises:
        CheckpointError: it cannot be read.
    """
    from transformers import AutoModel

    with opening(name):
        model, info = (family or AutoModel).from_pretrained(
            folder_of(name),
            revision=revision,
            dtype=torch.float32,
            device_map="meta" if shapes_only else None,
            use_safetensors=True,
            output_loading_info=True,
        )
    return Loaded(model, frozenset(info["missing_keys"]) | frozenset(str(key) for key in info["mismatched_keys"]))


def random_model(architecture: Mapping[str, Any], family: Any = None) -> Loaded:
    """A model with random weights.

    Raises:
        CheckpointError: the architecture is not one that Transformers knows.
    """
    from transformers import AutoConfig, AutoModel

    settings = dict(architecture)
    with opening("architecture"):
        config = AutoConfig.for_model(settings.pop("model_type", None), **settings)
        return Loaded((family or AutoModel).from_config(config, dtype=torch.float32), frozenset())


class Half(NamedTuple):
    """The encoder of one modality: a whole model, or its part in a model of two.

    name: of the checkpoint, for messages. prefix: of its weights' names in the whole model.
    missing: weights of the whole model that the checkpoint does not have.
    """

    encoder: Any
    name: str
    prefix: str
    missing: frozenset[str]


def open_half(config: PretrainedConfig, attribute: str, pretrained: bool, shapes_only: bool = False) -> Half:
    """What a part's settings name: with the checkpoint's weights where they are wanted, else with random ones.

    Args:
        config: of the part.
        attribute: by which a model of two modalities holds the encoder (`vision_model`, `text_model`).
        pretrained: whether weights will not come from elsewhere; without an architecture they are read all the same.
        shapes_only: of a checkpoint's weights: see `load_model`.

    Raises:
        CheckpointError: it cannot be read.
    """
    if config.name is not None and (pretrained or config.architecture is None):
        name, loaded = config.name, load_model(config.name, config.revision, shapes_only=shapes_only)
    else:
        assert config.architecture is not None
        name, loaded = "architecture", random_model(config.architecture)
    half = getattr(loaded.model, attribute, None)
    if half is None:
        return Half(loaded.model, name, "", loaded.missing)
    return Half(half, name, f"{attribute}.", loaded.missing)


def check_weights(part: nn.Module, prefix: str, missing: frozenset[str], name: str, but: tuple[str, ...] = ()) -> None:
    """Refuse a checkpoint that lacks weights of the part that is wanted of it.

    Args:
        part: the part. prefix: of its weights' names in the whole model.
        missing: weights of the whole model that the checkpoint has not.
        name: of the checkpoint, for the message. but: names that may be missing begin with these.

    Raises:
        CheckpointError: they would be random.
    """
    own = {prefix + key for key, _ in part.named_parameters()}
    lost = sorted(key for key in own & missing if not key.removeprefix(prefix).startswith(but))
    if lost:
        raise CheckpointError(
            f"{name}: has no weights for {len(lost)} of the {len(own)} tensors of the {type(part).__name__} that its "
            f"config.json names ({lost[0]}, ...): the two do not belong together."
        )


@contextmanager
def opening(name: str) -> Iterator[None]:
    """Transformers keeps quiet, and what goes wrong becomes one message that says where."""
    from safetensors import SafetensorError
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        first = str(error).strip().split("\n")[0] or type(error).__name__
        raise CheckpointError(
            f"{name}: cannot be read as a checkpoint of Transformers: {first} "
            "(Where the hub cannot be reached, give a folder that holds the checkpoint.)"
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
