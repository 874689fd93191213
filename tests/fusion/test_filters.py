"""Filters that a text makes: against a loop over patches in float64, and what counting means."""

import math

import pytest
import torch
from torch import Tensor

from tuwen.core.errors import RecipeError
from tuwen.core.features import Features
from tuwen.fusion import FusionContext
from tuwen.fusion.filters import Config, FilterFusion, build

WIDTH, FILTERS, SIDE = 16, 5, 6
PICTURES, EACH = 2, 3


def fusion(regions: int) -> FilterFusion:
    torch.manual_seed(0)
    part = build(Config(width=WIDTH, filters=FILTERS, regions=regions), FusionContext(image_width=8, text_width=12))
    return part.double()


def given(patches: int = SIDE * SIDE) -> tuple[Features, Features]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(PICTURES, patches, 8, dtype=torch.float64, generator=generator)
    words = torch.randn(PICTURES * EACH, 4, 12, dtype=torch.float64, generator=generator)
    return Features(tokens, tokens.mean(1)), Features(words, words.mean(1))


@torch.no_grad()
def slowly(part: FilterFusion, patches: Tensor, text: Tensor) -> Tensor:
    """One picture `[N, D]` and one text `[T]` → `[width]`: patch by patch, filter by filter, region by region."""
    filters = part.filter(text).view(FILTERS, -1)
    biases = part.bias(text)
    gain, shift = part.inside.text(text).chunk(2)
    half = SIDE // part.regions
    regions = []
    for row in range(part.regions):
        for column in range(part.regions):
            places = [(row * half + y) * SIDE + column * half + x for y in range(half) for x in range(half)]
            found = []
            for number in range(FILTERS):
                answers = [
                    max(0.0, float(filters[number] @ patches[place]) / math.sqrt(8) + float(biases[number]))
                    for place in places
                ]
                found += [sum(answers) / math.sqrt(len(places)), max(answers)]
            counted = torch.tensor(found, dtype=torch.float64)
            regions.append(torch.relu(part.deeper(torch.relu((1 + gain) * part.inside.linear(counted) + shift))))
    stacked = torch.stack(regions)
    gain, shift = part.whole.text(text).chunk(2)
    return torch.relu((1 + gain) * part.whole.linear(torch.cat([stacked.mean(0), stacked.amax(0)])) + shift)


@pytest.mark.parametrize("regions", [1, 2, 3])
def test_it_is_a_loop_over_patches_filters_and_regions(regions: int) -> None:
    part, (image, text) = fusion(regions), given()
    found = part(image, text)
    assert found.tokens.shape == (PICTURES * EACH, regions**2, WIDTH)
    for row in range(PICTURES * EACH):
        wanted = slowly(part, image.tokens[row // EACH], text.pooled[row])
        torch.testing.assert_close(found.pooled[row], wanted)


def test_where_in_a_region_a_patch_lies_does_not_matter_and_in_which_region_does() -> None:
    part, (image, text) = fusion(2), given()
    within, across = torch.arange(SIDE * SIDE), torch.arange(SIDE * SIDE)
    within[[0, SIDE + 1]] = within[[SIDE + 1, 0]]
    across[[0, SIDE - 1]] = across[[SIDE - 1, 0]]
    plain = part(image, text).pooled
    moved = [part(Features(image.tokens[:, order], image.pooled), text).pooled for order in (within, across)]
    torch.testing.assert_close(moved[0], plain)
    assert (moved[1] - plain).abs().max() > 1e-3


def test_regions_may_stand_in_any_order() -> None:
    part, (image, text) = fusion(2), given()
    half = SIDE * SIDE // 2
    swapped = torch.cat([image.tokens[:, half:], image.tokens[:, :half]], 1)
    torch.testing.assert_close(part(Features(swapped, image.pooled), text).pooled, part(image, text).pooled)


def test_gradients_reach_patches_and_words() -> None:
    part, (image, text) = fusion(2), given()

    def pooled(patches: Tensor, words: Tensor) -> Tensor:
        found: Tensor = part(Features(patches, patches.mean(1)), Features(words, words.mean(1))).pooled
        return found

    inputs = [each.tokens.clone().requires_grad_() for each in (image, text)]
    assert torch.autograd.gradcheck(pooled, inputs, fast_mode=True)


@pytest.mark.parametrize(("patches", "regions"), [(35, 2), (4, 3)])
def test_patches_that_are_no_grid_have_no_regions(patches: int, regions: int) -> None:
    with pytest.raises(RecipeError, match=rf"{patches} patches are no square grid of {regions} x {regions} regions"):
        fusion(regions)(*given(patches))


def test_patches_that_are_no_grid_can_be_counted_as_a_whole() -> None:
    assert fusion(1)(*given(35)).pooled.shape == (PICTURES * EACH, WIDTH)
