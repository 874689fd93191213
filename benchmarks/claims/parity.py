"""Pretrained parts compute what Transformers computes: the largest difference on the same input, for each family.

Checkpoints with random weights are written to a folder and read by the code that reads real ones: the weights do not
matter to what is compared. For pictures also: how far the pixels are from those of the checkpoint's own processor.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _claim import report

sys.path.insert(0, str(Path(__file__).parents[2]))

IMAGES = {"resnet": 0, "convnext": 0, "vit": 1, "dinov2": 5, "clip": 1, "siglip": 0}
"""Families of image encoders, and the special tokens before their patches."""
TEXTS = ("bert", "roberta", "clip")
LANGUAGES = ("gpt2", "llama")
ASKED = {"images": "<= 1e-5", "texts": "<= 1e-5", "logits": "<= 1e-5", "pixels_of_255": "<= 3"}


def main() -> None:
    """Compare every family, and report the largest difference of each kind."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary, torch.no_grad():
        values = measure(Path(temporary))
    report("parity", values, ASKED, time.perf_counter() - began)


def measure(folder: Path) -> dict[str, Any]:
    """The largest differences, of all and of each family."""
    from tests import checkpoints

    made = {name: getattr(checkpoints, name)(folder / name) for name in {*IMAGES, *TEXTS, *LANGUAGES}}
    images = {name: image_difference(made[name], before) for name, before in IMAGES.items()}
    pixels = {name: pixel_difference(made[name]) for name in IMAGES}
    texts = {name: text_difference(made[name]) for name in TEXTS}
    logits = {name: logit_difference(made[name]) for name in LANGUAGES}
    kinds = {"images": images, "texts": texts, "logits": logits, "pixels_of_255": pixels}
    return {**{kind: max(found.values()) for kind, found in kinds.items()}, "families": kinds}


def image_difference(folder: Path, before: int) -> float:
    """Of the tokens and of the pooled vector."""
    from tuwen.core.rooms import build_part
    from tuwen.towers.image import ImageContext

    tower = build_part("towers.image", {"kind": "hf", "name": str(folder)}, ImageContext(32)).eval()
    pixels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model = _theirs(folder)
    features, wanted = tower(pixels), getattr(model, "vision_model", model)(pixel_values=pixels)
    hidden = wanted.last_hidden_state
    hidden = hidden.flatten(2).transpose(1, 2) if hidden.ndim == 4 else hidden[:, before:]
    return max(_apart(features.tokens, hidden), _apart(features.pooled, wanted.pooler_output.flatten(1)))


def pixel_difference(folder: Path) -> float:
    """Between our preprocessing of a picture and that of the checkpoint's processor, in steps of 255."""
    from PIL import Image
    from transformers import AutoImageProcessor

    from tuwen.prep.images import ImageConfig, ImagePrep
    from tuwen.prep.pretrained import image_settings, normalised

    coarse = np.random.default_rng(0).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((333, 217), Image.Resampling.BICUBIC)
    config = ImageConfig(**image_settings(str(folder), None))
    wanted = AutoImageProcessor.from_pretrained(folder, backend="pil")(picture, return_tensors="np")["pixel_values"][0]
    found = normalised(ImagePrep(config)(np.array(picture), "a picture", None), config)
    return round(float((np.abs(found - wanted) * np.array(config.std)[:, None, None]).max() * 255), 3)


def text_difference(folder: Path) -> float:
    """Of the pooled vectors of texts in English and Chinese, padded to the longest."""
    from transformers import AutoTokenizer

    from tests.checkpoints import TEXTS as SENTENCES
    from tuwen.core.rooms import build_part
    from tuwen.prep.pretrained_tokens import pretrained_tokenizer
    from tuwen.towers.text import TextContext

    tokenizer = pretrained_tokenizer(str(folder), None)
    context = TextContext(len(tokenizer), tokenizer.max_length)
    tower = build_part("towers.text", {"kind": "hf", "name": str(folder)}, context).eval()
    rows = [tokenizer.read(text) for text in SENTENCES]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [tokenizer.pad] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[place < len(row) for place in range(longest)] for row in rows])
    model = _theirs(folder)
    given = AutoTokenizer.from_pretrained(folder)(list(SENTENCES), padding=True, truncation=True, return_tensors="pt")
    return _apart(tower(ids, mask).pooled, getattr(model, "text_model", model)(**given).pooler_output)


def logit_difference(folder: Path) -> float:
    """Of a language model's logits for prompts of text."""
    from transformers import AutoModelForCausalLM

    from tests.checkpoints import TEXTS as SENTENCES
    from tuwen.core.rooms import build_part
    from tuwen.language import LanguageContext, causal_mask, positions_in
    from tuwen.layers.pretrained import opening
    from tuwen.prep.pretrained_tokens import pretrained_tokenizer

    tokenizer = pretrained_tokenizer(str(folder), None)
    language = build_part("language", {"kind": "hf", "name": str(folder)}, LanguageContext(len(tokenizer), 64)).eval()
    with opening(str(folder)):
        model = AutoModelForCausalLM.from_pretrained(folder).eval()
    apart = []
    for text in SENTENCES:
        ids = torch.tensor([tokenizer.encode(text)])
        segments = torch.ones_like(ids)
        found = language.logits(language(language.embed(ids), positions_in(segments), causal_mask(segments)))
        apart.append(_apart(found, model(input_ids=ids).logits[..., : len(tokenizer)]))
    return max(apart)


def _theirs(folder: Path) -> Any:
    from transformers import AutoModel

    from tuwen.layers.pretrained import opening

    with opening(str(folder)):
        return AutoModel.from_pretrained(folder).eval()


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


if __name__ == "__main__":
    main()
