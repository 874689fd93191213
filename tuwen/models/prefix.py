"""From a picture's patches to embeddings that a language model reads as if they were words.

Tsimpoukelli et al. 2021, "Multimodal few-shot learning with frozen language models", arXiv:2106.13884, section 3.
Shapes: B pictures, N patches, D width of the image tower, P prefix tokens, E width of the language model, V its words.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn

from tuwen.core.errors import RecipeError
from tuwen.core.features import Features
from tuwen.language import LanguageModel
from tuwen.layers.attention_pool import AttentionPool
from tuwen.models.config import PrefixConfig
from tuwen.towers.image import ImageTower

_BEGIN = 0.1
"""How large the queries of `AmongWords` begin, to how large a free prefix begins."""


class Merge(nn.Module):
    """Joins `merge` × `merge` neighbouring patches. `[B, N, D]` → `[B, N / merge², D · merge²]`."""

    def __init__(self, merge: int, tower: ImageTower) -> None:
        super().__init__()
        self.side = math.isqrt(tower.patches)
        if self.side**2 != tower.patches or self.side % merge:
            raise RecipeError(f"model.prefix.merge: {merge} does not divide the tower's {tower.patches} patches.")
        self.merge = merge
        self.length = tower.patches // merge**2
        self.width = tower.width * merge**2

    def forward(self, tokens: Tensor) -> Tensor:
        rows, _, width = tokens.shape
        side = self.side // self.merge
        grid = tokens.view(rows, side, self.merge, side, self.merge, width)
        return grid.transpose(2, 3).reshape(rows, self.length, self.width)


class Pool(nn.Module):
    """Learned queries read the patches. `[B, N, D]` → `[B, tokens, D]`."""

    def __init__(self, tokens: int, tower: ImageTower) -> None:
        super().__init__()
        self.length, self.width = tokens, tower.width
        heads = next(heads for heads in (8, 4, 2, 1) if tower.width % heads == 0)
        self.pool = AttentionPool(tower.width, heads, tower.width, tokens)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.pool(tokens)


class Prefix(nn.Module):
    """An image tower's features → `[B, length, E]`."""

    length: int

    @abstractmethod
    def forward(self, image: Features, language: LanguageModel) -> Tensor:
        """The prefix of each picture, for the language model that is to read it."""


class FromPatches(Prefix):
    """Patches, merged or read by learned queries, and if asked the pooled vector before them. → `[B, P, E]`."""

    def __init__(self, config: PrefixConfig, tower: ImageTower, width: int) -> None:
        super().__init__()
        self.length = prefix_length(config, tower)
        self.reader = Pool(config.tokens, tower) if config.tokens else Merge(config.merge, tower)
        self.projection = nn.Linear(self.reader.width, width)
        self.pooled = nn.Linear(tower.width, width) if config.pooled else None

    def forward(self, image: Features, language: LanguageModel) -> Tensor:
        tokens: Tensor = self.projection(self.reader(image.tokens))
        if self.pooled is None:
            return tokens
        return torch.cat([self.pooled(image.pooled).unsqueeze(1), tokens], 1)


class FromPooled(Prefix):
    """The pooled vector, mapped to all tokens at once (section 3.1.2 of the paper). → `[B, P, E]`."""

    def __init__(self, config: PrefixConfig, tower: ImageTower, width: int) -> None:
        super().__init__()
        self.length = config.tokens
        self.projection = nn.Linear(tower.width, config.tokens * width)

    def forward(self, image: Features, language: LanguageModel) -> Tensor:
        return self.projection(image.pooled).unflatten(1, (self.length, -1))


class AmongWords(Prefix):
    """Each token is a mixture of the language model's own words, so that it lies where words lie.

    A query for each token attends to the words; it begins as the mean of all of them. A free prefix can make a frozen
    model say the caption without being anything that it knows from its texts, and what it does in context with words it
    then does not do with pictures. After Masry et al. 2025, AlignVLM, arXiv:2502.01341, section 3.1.
    """

    def __init__(self, queries: Prefix) -> None:
        super().__init__()
        self.length = queries.length
        self.queries = queries
        with torch.no_grad():
            for layer in queries.children():
                if isinstance(layer, nn.Linear):  # the last of each way through it
                    layer.weight.mul_(_BEGIN)

    def forward(self, image: Features, language: LanguageModel) -> Tensor:
        words = language.words()
        return self.shares(image, language).to(words.dtype) @ words

    def shares(self, image: Features, language: LanguageModel) -> Tensor:
        """How much of each word is in each token, `[B, P, V]` float32."""
        queries = self.queries(image, language)
        return (queries @ language.words().to(queries.dtype).T).float().softmax(-1)


def build_prefix(config: PrefixConfig, tower: ImageTower, width: int) -> Prefix:
    """The prefix of a tower's pictures for a language model of some width."""
    free = (FromPooled if config.source == "pooled" else FromPatches)(config, tower, width)
    return AmongWords(free) if config.space == "words" else free


def prefix_length(config: PrefixConfig, tower: ImageTower) -> int:
    """How many tokens of a language model a picture takes."""
    if config.source == "pooled":
        return config.tokens
    return int(config.pooled) + (config.tokens or tower.patches // config.merge**2)
