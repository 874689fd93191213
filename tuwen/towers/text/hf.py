"""Any text encoder of Hugging Face Transformers (Wolf et al. 2020, arXiv:1910.03771), from the hub or a folder.

BERT (also Chinese), RoBERTa, XLM-R, ... and the text half of CLIP. Its tokenizer comes along.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tuwen.core.errors import CheckpointError
from tuwen.core.features import Features
from tuwen.layers.pooling import last_pool, mean_pool
from tuwen.layers.pretrained import (
    PretrainedConfig,
    check_weights,
    folder_of,
    open_half,
    opening,
    read_architecture,
)
from tuwen.prep.pretrained import Brought
from tuwen.towers.text import TextContext, TextTower

Pool = Literal["own", "first", "mean", "last"]

EXAMPLE = {
    "architecture": {
        "model_type": "bert",
        "hidden_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 128,
        "vocab_size": 512,
    },
    "pool": "mean",
}
"""Settings to try the part with: one of `name` and `architecture` must be given."""

SENTENCE_POOLS: dict[str, Pool] = {
    "pooling_mode_cls_token": "first",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "last",
}
"""Ways of pooling as sentence-transformers names them."""


class Config(PretrainedConfig):
    """Which checkpoint: see `PretrainedConfig`.

    name, revision, architecture: as there.
    pool: from the tokens to one vector: the model's `own` way, its `first` token (CLS), the `mean`, or the `last`;
        where null, what a sentence encoder's files say, else its own if the checkpoint has weights for it, else the
        first token.
    """

    pool: Pool | None = None


class HFTextTower(TextTower):
    """The encoder of a checkpoint."""

    def __init__(self, encoder: Any, pool: Pool, context: TextContext, name: str) -> None:
        super().__init__()
        self.encoder, self.pool = encoder, pool
        self.width = encoder.config.hidden_size
        self.filler = getattr(encoder.config, "pad_token_id", None) or 0
        if pool != "own":
            for parameter in getattr(encoder, "pooler", nn.Module()).parameters():
                parameter.requires_grad_(False)  # nothing reads what it gives
        _check_vocabulary(encoder, context.vocab_size, name)
        self._check_reading(context, name)

    def forward(self, ids: Tensor, mask: Tensor) -> Features:
        # Some encoders count positions by what is not padding, or look for the first end of text: it must be padding.
        found = self.encoder(input_ids=torch.where(mask, ids, self.filler), attention_mask=mask.long())
        tokens = found.last_hidden_state
        if self.pool == "own":
            return Features(tokens, found.pooler_output, mask)
        return Features(tokens, _POOLS[self.pool](tokens, mask), mask)

    @torch.no_grad()
    def _check_reading(self, context: TextContext, name: str) -> None:
        """The longest text can be read, and padding behind a text is never seen."""
        ids = torch.arange(context.max_length).remainder(context.vocab_size)[None]
        there = torch.ones_like(ids, dtype=torch.bool)
        training = self.training
        self.eval()
        try:
            self(ids, there)
            alone, padded = self(ids[:, :2], there[:, :2]).pooled, self(ids[:, :4], there[:, :4].cumsum(1) <= 2).pooled
        except (IndexError, RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"text tower hf: {name}: cannot read texts of {context.max_length} tokens ({error}): set "
                "tokenizer.max_length lower, or leave it out."
            ) from error
        if not torch.allclose(alone, padded, atol=1e-4):
            raise CheckpointError(
                f"text tower hf: {name}: its own pooling reads the padding behind a text, so that a text would change "
                "with its company; set pool: last, pool: mean or pool: first."
            )
        self.train(training)


_POOLS = {"first": lambda tokens, mask: tokens[:, 0], "mean": mean_pool, "last": last_pool}


def brings(config: Config) -> Brought:
    """What the checkpoint decides for a recipe: its architecture, its pooling and its tokenizer.

    Raises:
        CheckpointError: it cannot be read, or is no text encoder.
    """
    if config.name is None:
        return Brought(config)
    architecture = read_architecture(config.name, config.revision)
    encoder, prefix, missing = _open(config, pretrained=True, shapes_only=True)
    pool = _pool(config, encoder, prefix, missing)
    complete = config.model_copy(update={"architecture": architecture, "pool": pool})
    return Brought(complete, tokenizer=(config.name, config.revision))


def build(config: Config, context: TextContext) -> HFTextTower:
    encoder, prefix, missing = _open(config, context.pretrained)
    return HFTextTower(encoder, _pool(config, encoder, prefix, missing), context, config.name or "architecture")


def _open(config: Config, pretrained: bool, shapes_only: bool = False) -> tuple[nn.Module, str, frozenset[str]]:
    """The encoder, what its weights' names begin with in the whole model, and those that the checkpoint lacks."""
    encoder, name, prefix, missing = open_half(config, "text_model", pretrained, shapes_only)
    _check_family(encoder, name)
    check_weights(encoder, prefix, missing, name, but=("pooler.",))
    return encoder, prefix, missing


def _check_family(encoder: Any, name: str) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    kind, config = type(encoder).__name__, type(encoder.config)
    if encoder.main_input_name != "input_ids":
        raise CheckpointError(f"text tower hf: {name}: a {kind} reads no texts; name a text encoder.")
    if encoder.config.is_encoder_decoder:
        raise CheckpointError(f"text tower hf: {name}: a {kind} has a decoder too; name an encoder alone.")
    if config in MODEL_FOR_CAUSAL_LM_MAPPING and config not in MODEL_FOR_MASKED_LM_MAPPING:
        raise CheckpointError(f"text tower hf: {name}: a {kind} is a language model; name it under model.language.")


def _check_vocabulary(encoder: Any, vocab_size: int, name: str) -> None:
    rows = encoder.get_input_embeddings().num_embeddings
    if vocab_size > rows:
        raise CheckpointError(
            f"text tower hf: {name}: the tokenizer has {vocab_size:,} tokens, and the model embeddings for {rows:,}: "
            "they do not belong together. Use the checkpoint's own tokenizer (leave tokenizer.name out)."
        )


def _pool(config: Config, encoder: nn.Module, prefix: str, missing: frozenset[str]) -> Pool:
    if config.pool is not None:
        return config.pool
    said = _sentence_pool(config.name, config.revision) if config.name else None
    trained = not any(name.startswith(f"{prefix}pooler.") for name in missing)
    return said or ("own" if trained and _pools_itself(encoder) else "first")


@torch.no_grad()
def _pools_itself(encoder: Any) -> bool:
    training = encoder.training
    found = encoder.eval()(input_ids=torch.zeros(1, 2, dtype=torch.long, device=encoder.device))
    encoder.train(training)
    return getattr(found, "pooler_output", None) is not None


def _sentence_pool(name: str, revision: str | None) -> Pool | None:
    """How a sentence encoder pools (Reimers and Gurevych 2019, arXiv:1908.10084), as its own files say."""
    from transformers.utils import cached_file

    def read(file: str) -> Any:
        with opening(name):
            found = cached_file(folder_of(name), file, revision=revision, _raise_exceptions_for_missing_entries=False)
        return None if found is None else json.loads(Path(found).read_text(encoding="utf-8"))

    parts = read("modules.json") or []
    folder = next((part["path"] for part in parts if part["type"].endswith(".Pooling")), None)
    if folder is None:
        return None
    modes = read(f"{folder}/config.json") or {}
    chosen = [key for key, value in modes.items() if key.startswith("pooling_mode_") and value is True]
    if len(chosen) != 1 or chosen[0] not in SENTENCE_POOLS:
        raise CheckpointError(f"text tower hf: {name}: pools by {', '.join(chosen) or 'nothing'}; say how with `pool`.")
    return SENTENCE_POOLS[chosen[0]]
