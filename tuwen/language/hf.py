"""Any causal language model of Hugging Face Transformers (Wolf et al. 2020, arXiv:1910.03771), from hub or folder.

GPT-2, Llama, Qwen, SmolLM, ... Its tokenizer comes along. Frozen, its weights may be kept in fewer bits.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from tuwen.core.errors import CheckpointError
from tuwen.language import LanguageContext, LanguageModel, causal_mask, positions_in
from tuwen.layers.int8 import quantise
from tuwen.layers.key_values import KeyValues
from tuwen.layers.packed import LINEAR, PackedLinear, PacksItself, with_parts_packed
from tuwen.layers.pretrained import PretrainedConfig, check_weights, load_model, random_model, read_architecture
from tuwen.prep.pretrained import Brought

Weights = Literal["float32", "bf16", "int8"]

_SMALL = {"model_type": "gpt2", "n_embd": 24, "n_layer": 1, "n_head": 2, "n_positions": 512, "vocab_size": 512}
EXAMPLE = {"architecture": _SMALL}
"""Settings to try the part with: one of `name` and `architecture` must be given."""


class Config(PretrainedConfig):
    """Which checkpoint: see `PretrainedConfig`.

    name, revision, architecture: as there.
    weights: how they are kept: float32, or, for a model that is frozen, bf16 (half the bytes; everything is computed in
        bf16) or int8 (a quarter, for its linear layers).
    """

    weights: Weights = "float32"


class HFLanguageModel(LanguageModel, PacksItself):
    """The decoder of a checkpoint and its output layer."""

    def __init__(self, model: Any, context: LanguageContext, name: str) -> None:
        super().__init__()
        self.model = model
        self.width, self.max_length = model.get_input_embeddings().embedding_dim, context.max_length
        self.vocab_size = context.vocab_size
        _check_sizes(model, context, name)

    def embed(self, ids: Tensor) -> Tensor:
        return self.model.get_input_embeddings()(ids)

    def forward(self, embeddings: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        return self._read(embeddings, positions, mask, None).last_hidden_state

    def step(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, past: list[KeyValues] | None
    ) -> tuple[Tensor, list[KeyValues]]:
        from transformers import DynamicCache

        cache = DynamicCache([(layer.key, layer.value) for layer in past or []])
        found = self._read(embeddings, positions, mask, cache)
        return found.last_hidden_state, [KeyValues(layer.keys, layer.values) for layer in cache.layers]

    def logits(self, hidden: Tensor) -> Tensor:
        """Of the tokens that the tokenizer has; some checkpoints have room for more."""
        return self.model.get_output_embeddings()(hidden)[..., : self.vocab_size]

    def packed(self) -> HFLanguageModel:
        """GPT-2's own kind of linear layer is packed too."""
        from transformers.pytorch_utils import Conv1D

        return with_parts_packed(self, {**LINEAR, Conv1D: lambda layer: PackedLinear(layer.weight.T, layer.bias)})

    def _read(self, embeddings: Tensor, positions: Tensor, mask: Tensor, cache: Any) -> Any:
        hidden = torch.zeros(mask.shape, dtype=embeddings.dtype, device=mask.device)
        hidden = hidden.masked_fill_(~mask, torch.finfo(embeddings.dtype).min).unsqueeze(1)
        return self.model.base_model(
            inputs_embeds=embeddings,
            position_ids=positions,
            attention_mask=hidden,
            past_key_values=cache,
            use_cache=cache is not None,
        )


def brings(config: Config) -> Brought:
    """What the checkpoint decides for a recipe: its architecture and its tokenizer.

    Raises:
        CheckpointError: it cannot be read, or is no causal language model.
    """
    if config.name is None:
        return Brought(config)
    architecture = read_architecture(config.name, config.revision)
    _check_family(architecture, config.name)
    return Brought(config.model_copy(update={"architecture": architecture}), tokenizer=(config.name, config.revision))


def build(config: Config, context: LanguageContext) -> HFLanguageModel:
    from transformers import AutoModelForCausalLM

    if config.name is not None and (context.pretrained or config.architecture is None):
        name = config.name
        _check_family(read_architecture(name, config.revision), name)
        loaded = load_model(name, config.revision, AutoModelForCausalLM)
    else:
        assert config.architecture is not None
        name = "architecture"
        _check_family(config.architecture, name)
        loaded = random_model(config.architecture, AutoModelForCausalLM)
    check_weights(loaded.model, "", loaded.missing, name)
    language = HFLanguageModel(loaded.model, context, name)
    _check_reading(language, name)
    if config.weights == "int8":
        quantise(loaded.model)
        loaded.model.requires_grad_(False)
    return language.to(torch.bfloat16) if config.weights == "bf16" else language


def _check_family(architecture: dict[str, Any], name: str) -> None:
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    kind = architecture.get("model_type")
    family = CONFIG_MAPPING[kind] if kind in CONFIG_MAPPING else None  # noqa: SIM401 (loaded on access)
    decodes = architecture.get("is_decoder") or family not in MODEL_FOR_MASKED_LM_MAPPING
    if family not in MODEL_FOR_CAUSAL_LM_MAPPING or not decodes:
        raise CheckpointError(f"language model hf: {name}: {kind} is no causal language model; name one (GPT-2, say).")


def _check_sizes(model: Any, context: LanguageContext, name: str) -> None:
    rows = model.get_input_embeddings().num_embeddings
    if context.vocab_size > rows:
        raise CheckpointError(
            f"language model hf: {name}: the tokenizer has {context.vocab_size:,} tokens, and the model embeddings for "
            f"{rows:,}: they do not belong together. Use the checkpoint's own tokenizer (leave tokenizer.name out)."
        )
    settings = model.config
    limits = [getattr(settings, key, None) for key in ("max_position_embeddings", "sliding_window")]
    most = min((limit for limit in limits if limit is not None), default=context.max_length)
    if context.max_length > most:
        raise CheckpointError(
            f"language model hf: {name}: reads {most} tokens at most, and a prompt with its answer and the picture may "
            f"have {context.max_length}: set tokenizer.max_length lower, or the prefix of a picture shorter."
        )


@torch.no_grad()
def _check_reading(language: HFLanguageModel, name: str) -> None:
    """What is computed from embeddings, at once and token by token, is what the model computes itself."""
    training = language.training
    language.eval()
    ids = torch.arange(min(4, language.max_length)).remainder(language.vocab_size)[None]
    segments = torch.ones_like(ids)
    mask, places, embeddings = causal_mask(segments), positions_in(segments), language.embed(ids)
    try:
        wanted = language.model(input_ids=ids).logits[..., : language.vocab_size]
        first, past = language.step(embeddings[:, :2], places[:, :2], mask[:, :2, :2], None)
        rest, _ = language.step(embeddings[:, 2:], places[:, 2:], mask[:, 2:], past)
        found = [language.logits(language(embeddings, places, mask)), language.logits(torch.cat([first, rest], 1))]
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
        raise CheckpointError(f"language model hf: {name}: cannot read embeddings step by step ({error}).") from error
    finally:
        language.train(training)
    if not all(torch.allclose(each, wanted, atol=1e-3, rtol=1e-3) for each in found):
        raise CheckpointError(
            f"language model hf: {name}: a {type(language.model).__name__} does more than read embeddings and put its "
            "output layer on top (it scales its logits, say), which is not known here."
        )
