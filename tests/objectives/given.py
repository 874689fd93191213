"""A forward pass whose numbers are given, so that an objective can be checked against a loop over them."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from tuwen.core.batch import Batch, TextBatch


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers in float64, with gradients."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def texts_of(words: list[str], owners: list[int], rows_per_image: int | None = None) -> TextBatch:
    """Rows with equal ids where the words are equal. owners: the picture of each."""
    ids = torch.tensor([[1, 10 + sorted(set(words)).index(word), 2] for word in words])
    return TextBatch(ids, torch.ones_like(ids), torch.tensor(owners), rows_per_image=rows_per_image)


@dataclass
class Given:
    """What `Forward` offers to objectives that compare pictures with texts."""

    text: TextBatch
    texts: Tensor
    images: Tensor
    scale: Tensor = field(default_factory=lambda: torch.tensor(5.0, dtype=torch.float64, requires_grad=True))
    bias: Tensor = field(default_factory=lambda: torch.tensor(-2.0, dtype=torch.float64, requires_grad=True))

    def stream(self, name: str) -> TextBatch:
        return self.text

    def similarity(self, name: str) -> Tensor:
        return self.texts @ self.images.T

    def text_embedding(self, name: str) -> Tensor:
        return self.texts

    @property
    def image_embedding(self) -> Tensor:
        return self.images

    @property
    def batch(self) -> Batch:
        return Batch(texts={"retrieve": self.text})

    @property
    def model(self) -> Any:
        return SimpleNamespace(require=lambda part: {"logit_bias": self.bias}[part], training=True)

    @property
    def leaves(self) -> list[Tensor]:
        """All that has a gradient."""
        return [self.texts, self.images, self.scale, self.bias]


def gradients(loss: Tensor, leaves: list[Tensor]) -> list[Tensor | None]:
    """Of a scalar, for each leaf that it depends on."""
    return list(torch.autograd.grad(loss, leaves, allow_unused=True))


def assert_same(found: Tensor, wanted: Tensor, leaves: list[Tensor]) -> None:
    """Equal values and equal gradients."""
    torch.testing.assert_close(found, wanted)
    for ours, theirs in zip(gradients(found, leaves), gradients(wanted, leaves), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            torch.testing.assert_close(ours, theirs)
