"""From patches to a prefix, by hand."""

from typing import Literal

import pytest
import torch

from tests import tiny
from tuwen.core.features import Features
from tuwen.language import LanguageContext
from tuwen.language.gpt import GPT, Config
from tuwen.models.config import PrefixConfig
from tuwen.models.prefix import AmongWords, FromPatches, FromPooled, Merge, Pool, build_prefix, prefix_length
from tuwen.towers.image import ImageTower


class Patches(ImageTower):
    """A tower with a number of patches."""

    def __init__(self, patches: int, width: int) -> None:
        super().__init__()
        self.patches, self.width = patches, width

    def forward(self, pixels: torch.Tensor) -> Features:
        raise AssertionError("a prefix reads features, and never the pictures")


def speaker(width: int, vocab_size: int) -> GPT:
    """A language model that reads prefixes."""
    return GPT(Config(width=width, depth=1, heads=1), LanguageContext(vocab_size, 16))


def test_neighbours_are_joined_in_reading_order() -> None:
    """A grid of 4 x 4 patches, numbered in reading order, two numbers each."""
    tower = Patches(16, 2)
    grid = torch.stack([torch.arange(16), 100 + torch.arange(16)], -1)[None]
    merge = Merge(2, tower)
    assert (merge.length, merge.width) == (4, 8)
    assert merge(grid)[0].tolist() == [
        [0, 100, 1, 101, 4, 104, 5, 105],
        [2, 102, 3, 103, 6, 106, 7, 107],
        [8, 108, 9, 109, 12, 112, 13, 113],
        [10, 110, 11, 111, 14, 114, 15, 115],
    ]


def test_merging_by_one_changes_nothing() -> None:
    tokens = torch.randn(2, 9, 3)
    assert torch.equal(Merge(1, Patches(9, 3))(tokens), tokens)


@pytest.mark.parametrize(("width", "heads"), [(24, 8), (12, 4), (6, 2), (7, 1)])
def test_learned_queries_split_any_width(width: int, heads: int) -> None:
    pool = Pool(3, Patches(9, width))
    assert pool.pool.attention.heads == heads
    assert pool(torch.randn(2, 9, width)).shape == (2, 3, width)


@pytest.mark.parametrize(
    ("config", "length"),
    [
        (PrefixConfig(), 9),
        (PrefixConfig(merge=3), 1),
        (PrefixConfig(tokens=4), 4),
        (PrefixConfig(pooled=True), 10),
        (PrefixConfig(tokens=2, pooled=True), 3),
        (PrefixConfig(tokens=2, source="pooled"), 2),
        (PrefixConfig(tokens=2, space="words"), 2),
        (PrefixConfig(tokens=2, source="pooled", space="words"), 2),
    ],
)
def test_a_prefix_is_as_long_as_promised_and_as_wide_as_the_language_model(config: PrefixConfig, length: int) -> None:
    tower, language = Patches(9, 6), speaker(10, 7)
    found = build_prefix(config, tower, 10)(Features(torch.randn(2, 9, 6), torch.randn(2, 6)), language)
    assert found.shape == (2, length, 10)
    assert prefix_length(config, tower) == length


def test_the_pooled_picture_comes_first() -> None:
    torch.manual_seed(0)
    prefix = build_prefix(PrefixConfig(pooled=True), Patches(4, 6), 10)
    image = Features(torch.randn(2, 4, 6), torch.randn(2, 6))
    assert isinstance(prefix, FromPatches)
    assert prefix.pooled is not None
    found = prefix(image, speaker(10, 7))
    torch.testing.assert_close(found[:, 0], prefix.pooled(image.pooled))
    torch.testing.assert_close(found[:, 1:], prefix.projection(image.tokens))


def test_the_language_model_has_room_for_the_prefix_and_for_a_question_with_its_answer() -> None:
    language = tiny.model(prefix={"tokens": 2, "pooled": True}).language
    assert language is not None
    assert language.max_length == 3 + 2 * tiny.tokenizer().max_length


def test_the_pooled_picture_becomes_all_tokens_at_once() -> None:
    torch.manual_seed(0)
    prefix = build_prefix(PrefixConfig(tokens=2, source="pooled"), Patches(4, 6), 8)
    assert isinstance(prefix, FromPooled)
    image = Features(torch.randn(3, 4, 6), torch.randn(3, 6))
    flat = prefix.projection(image.pooled)
    torch.testing.assert_close(prefix(image, speaker(8, 7)), torch.stack([flat[:, :8], flat[:, 8:]], 1))


def test_tokens_among_words_are_mixtures_of_them() -> None:
    """Each is the sum of the words' embeddings by their shares, and one word where its logit is far above the rest."""
    torch.manual_seed(0)
    prefix, language = build_prefix(PrefixConfig(tokens=2, space="words"), Patches(4, 6), 8), speaker(8, 7)
    assert isinstance(prefix, AmongWords)
    image = Features(torch.randn(3, 4, 6), torch.randn(3, 6))
    shares = prefix.shares(image, language)
    assert shares.shape == (3, 2, 7)
    torch.testing.assert_close(shares.sum(-1), torch.ones(3, 2))
    wanted = sum(shares[:, :, word, None] * language.token.weight[word] for word in range(7))
    torch.testing.assert_close(prefix(image, language), wanted)
    assert isinstance(prefix.queries, FromPatches)
    with torch.no_grad():
        prefix.queries.projection.weight.zero_()
        prefix.queries.projection.bias.copy_(1e3 * language.token.weight[3])
    torch.testing.assert_close(prefix(image, language), language.token.weight[3].expand(3, 2, 8))


@pytest.mark.parametrize("source", ["pooled", "patches"])
def test_words_can_be_chosen_by_what_is_seen(source: Literal["pooled", "patches"]) -> None:
    """Gradients reach all that a prefix of words is made of, and the picture; the words may stay as they are."""
    torch.manual_seed(0)
    prefix, language = (
        build_prefix(PrefixConfig(tokens=2, source=source, space="words"), Patches(4, 6), 8),
        speaker(8, 7),
    )
    language.requires_grad_(False)
    image = Features(torch.randn(3, 4, 6, requires_grad=True), torch.randn(3, 6, requires_grad=True))
    (prefix(image, language) * torch.randn(3, 2, 8)).sum().backward()
    read = image.pooled if source == "pooled" else image.tokens
    assert read.grad is not None
    assert read.grad.abs().min() > 0
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in prefix.parameters())


@pytest.mark.parametrize("settings", [{}, {"tokens": 2, "merge": 2}, {"tokens": 2, "pooled": True}])
def test_a_pooled_picture_has_no_patches(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="from source: pooled come `tokens`"):
        PrefixConfig(source="pooled", **settings)
