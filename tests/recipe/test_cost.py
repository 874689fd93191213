"""What a pair costs, counted and not timed: it stays as cheap as it is.

Multiplications and additions of the quickstart's step, pictures encoded for a question, tokens that are padding, bytes
that a picture takes on its way to the device. Who makes them smaller lowers the numbers here.
"""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tuwen.core.batch import Batch
from tuwen.layers.ragged import Ragged
from tuwen.recipe.build import System, build_step, build_system
from tuwen.recipe.schema import load_recipe
from tuwen.recipe.sources import build_data

BATCH = 32
FLOPS_A_SAMPLE = 1.0e9
"""Forward and backward, of one picture with all its texts: at most."""
WASTED_BY_THE_TEXT_TOWER = 0.08
"""Of the questions, twelve a picture, and so of what the fusion reads; padded to the longest, half would be waste."""


@pytest.fixture(scope="module")
def system_and_batch() -> tuple[System, Batch]:
    sets = ["data.train_scenes=1000", "data.test_scenes=8", "tokenizer.sample=1000", f"train.batch_size={BATCH}"]
    recipe = load_recipe("quickstart", sets=sets).recipe
    data = build_data(recipe)
    system = build_system(recipe, data)
    return system, next(system.loader(data.train, 0).iterate()).batch


def of_a_product(x: torch.Size, weight: torch.Size, *_: Any, **__: Any) -> int:
    """Of oneDNN's, which PyTorch's counter does not know: for each number of x as many as there are outputs."""
    return 2 * x.numel() * weight[0]


def test_operations_a_sample(system_and_batch: tuple[System, Batch]) -> None:
    system, batch = system_and_batch
    step = build_step(system).train()
    known = {torch.ops.mkldnn._linear_pointwise: of_a_product}
    with FlopCounterMode(display=False, custom_mapping=known) as counted:
        torch.stack([loss.sum for loss in step(batch).values()]).sum().backward()
    assert 0 < counted.get_total_flops() / BATCH < FLOPS_A_SAMPLE


def test_a_picture_is_encoded_once_whatever_is_asked_about_it(system_and_batch: tuple[System, Batch]) -> None:
    system, batch = system_and_batch
    encoded: list[int] = []
    tower = system.model.require("image_tower")
    handle = tower.register_forward_pre_hook(lambda module, pixels: encoded.append(len(pixels[0])))
    try:
        build_step(system)(batch)
    finally:
        handle.remove()
    questions = sum(int(text.segments.amax(1).sum()) for text in batch.texts.values())
    assert encoded == [BATCH]
    assert questions > 4 * BATCH


def test_tokens_that_are_padding(system_and_batch: tuple[System, Batch]) -> None:
    text = system_and_batch[1].texts["vqa"]
    tower = system_and_batch[0].model.require("text_tower")
    assert Ragged.of(text.attention_mask, tower.width).waste < WASTED_BY_THE_TEXT_TOWER
    words = system_and_batch[1].texts["words"].attention_mask.float().mean()
    assert words > 0.6


def test_a_picture_travels_as_bytes(system_and_batch: tuple[System, Batch]) -> None:
    pixels: Any = system_and_batch[1].pixels
    assert pixels.dtype == torch.uint8
    assert pixels.numel() * pixels.element_size() == BATCH * 64 * 64 * 3
