"""Tiny checkpoints of Transformers with random weights, in folders, as people have them: one of each family."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SIZE = 32
"""Pixels a side of what the image encoders read."""

TEXTS = ("a red circle", "two blue squares and a small green triangle", "一个红色的圆", "两个蓝色的正方形")

SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
VISION = {**SMALL, "hidden_size": 24, "image_size": SIZE, "patch_size": 8}


def save(folder: Path, config: Any, family: Any = None, seed: int = 0) -> Path:
    """A model with random weights, none of them zero or one for all outputs."""
    from transformers import AutoModel

    from tuwen.layers.pretrained import opening

    torch.manual_seed(seed)
    model = (family or AutoModel).from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.1)
    with opening(str(folder)):
        model.save_pretrained(folder)
    return folder


def resnet(folder: Path, **settings: Any) -> Path:
    """With the preprocessing of microsoft/resnet-50 at a smaller size."""
    from transformers import ResNetConfig
    from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil

    ConvNextImageProcessorPil(size={"shortest_edge": SIZE}, crop_pct=0.875).save_pretrained(folder)
    return save(folder, ResNetConfig(**{"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 2], **settings}))


def convnext(folder: Path) -> Path:
    from transformers import ConvNextConfig
    from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil

    ConvNextImageProcessorPil(size={"shortest_edge": SIZE}).save_pretrained(folder)
    return save(folder, ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2))


def vit(folder: Path, family: Any = None, **settings: Any) -> Path:
    from transformers import ViTConfig
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    ViTImageProcessorPil(size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    return save(folder, ViTConfig(**{**VISION, **settings}), family)


def dinov2(folder: Path) -> Path:
    """With register tokens beside the class token."""
    from transformers import Dinov2WithRegistersConfig
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    BitImageProcessorPil(size={"shortest_edge": 36}, crop_size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    return save(folder, Dinov2WithRegistersConfig(**VISION, num_register_tokens=4))


def clip(folder: Path) -> Path:
    """Both halves, with the tokenizer and the preprocessing."""
    from transformers import CLIPConfig
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = byte_level(folder, bos_token="<|startoftext|>", eos_token="<|endoftext|>", pad_token="<|endoftext|>")
    CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}).save_pretrained(
        folder
    )
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 1}
    text = {**SMALL, "hidden_size": 16, "vocab_size": len(tokenizer), "max_position_embeddings": 20, **ids}
    return save(folder, CLIPConfig(text_config=text, vision_config=VISION, projection_dim=8))


def siglip(folder: Path) -> Path:
    from transformers import SiglipConfig
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    tokenizer = byte_level(folder, eos_token="</s>", pad_token="</s>")
    SiglipImageProcessorPil(size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    ids = {"bos_token_id": 0, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 1}
    text = {**SMALL, "hidden_size": 16, "vocab_size": len(tokenizer), "max_position_embeddings": 20, **ids}
    return save(folder, SiglipConfig(text_config=text, vision_config=VISION))


def bert(folder: Path, **settings: Any) -> Path:
    """Chinese BERT too is one: its vocabulary is of single characters."""
    from transformers import BertConfig, BertTokenizer

    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [mark + letter for letter in "abcdefghijklmnopqrstuvwxyz,:" for mark in ("", "##")]
    vocabulary = [*specials, *letters, "red", "circle", "blue", "##s", *sorted({c for text in TEXTS[2:] for c in text})]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(vocabulary)), encoding="utf-8")
    BertTokenizer.from_pretrained(folder, model_max_length=30).save_pretrained(folder)
    size = len(dict.fromkeys(vocabulary))
    config = {"hidden_size": 16, "vocab_size": size, "max_position_embeddings": 40, **SMALL, **settings}
    return save(folder, BertConfig(**config))


def roberta(folder: Path) -> Path:
    """Its positions begin behind the number of the padding; XLM-R is the same with another tokenizer."""
    from transformers import XLMRobertaConfig

    tokenizer = byte_level(
        folder,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        mask_token="<mask>",
        cls_token="<s>",
        sep_token="</s>",
    )
    ids = {"bos_token_id": 0, "pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = {"hidden_size": 16, "vocab_size": len(tokenizer), "max_position_embeddings": 32, **SMALL, **ids}
    return save(folder, XLMRobertaConfig(**config))


def gpt2(folder: Path, **settings: Any) -> Path:
    from transformers import AutoModelForCausalLM, GPT2Config

    tokenizer = byte_level(folder, plain=True, eos_token="<|endoftext|>")
    ids = {"bos_token_id": tokenizer.eos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 160, "vocab_size": len(tokenizer), **ids}
    return save(folder, GPT2Config(**{**config, **settings}), AutoModelForCausalLM)


def llama(folder: Path, config: Callable[..., Any] | None = None, **settings: Any) -> Path:
    """Grouped keys and rotary positions; SmolLM is one, and Qwen nearly."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    tokenizer = byte_level(folder, bos_token="<s>", eos_token="</s>")
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    sizes = {"hidden_size": 16, "vocab_size": len(tokenizer), "num_key_value_heads": 1, "max_position_embeddings": 160}
    return save(folder, (config or LlamaConfig)(**{**sizes, **SMALL, **ids, **settings}), AutoModelForCausalLM)


def byte_level(folder: Path, plain: bool = False, **names: str) -> Any:
    """A byte-level BPE with the special tokens that are named, in a checkpoint's files. plain: it puts none around."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    specials = list(dict.fromkeys(names.values()))
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(TEXTS, trainer)
    around = [names.get("bos_token"), "$A", names.get("eos_token")]
    if not plain:
        numbers = [(token, backend.token_to_id(token)) for token in specials]
        single = " ".join(token for token in around if token is not None)
        backend.post_processor = processors.TemplateProcessing(single=single, special_tokens=numbers)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=20, **names)
    tokenizer.save_pretrained(folder)
    return tokenizer
