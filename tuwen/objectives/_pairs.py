"""Texts and pictures that are compared with each other, and which of them belong together.

Shapes: R texts of this process, P pictures of all processes, E width of the common space, L tokens, G distinct texts.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.core.batch import Batch, TextBatch
from tuwen.core.everyone import gather, gather_numbers, own_rows, world
from tuwen.core.loss import Loss
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, Term


class PairsConfig(ObjectiveConfig):
    """stream: the texts."""

    stream: str = "retrieve"


@dataclass(frozen=True, slots=True)
class Embedded:
    """The embeddings of some texts and pictures of one process.

    texts: `[R, E]`; images: `[P, E]`. ids: `[R, L]` int64, -1 where there is no token. owner: `[R]` int64, the picture
    of each text.
    """

    texts: Tensor
    images: Tensor
    ids: Tensor
    owner: Tensor

    @classmethod
    def of(cls, forward: Forward, stream: str) -> Embedded:
        """Of a forward pass; its batch may have no such texts, or no pictures.

        Texts without a picture are left out, and so are pictures without a text: nobody said that a text does not fit
        them, so they are no wrong answers.
        """
        if stream not in forward.batch.texts:
            return cls._without_texts(forward)
        text, embedding = forward.stream(stream), forward.text_embedding(stream)
        shown = text.image >= 0
        told, owner = torch.unique(text.image[shown], return_inverse=True)
        return cls(embedding[shown], forward.image_embedding[told], _alone(text)[shown], owner)

    @classmethod
    def _without_texts(cls, forward: Forward) -> Embedded:
        """A gradient must come back even here: the other processes wait for it."""
        device = forward.scale.device
        none = torch.zeros(0, forward.model.config.embedding or 0, device=device, requires_grad=True)
        no_ids = torch.zeros(0, 0, dtype=torch.int64, device=device)
        return cls(none, none, no_ids, no_ids.view(0))

    @classmethod
    def join(cls, parts: Sequence[Embedded]) -> Embedded:
        """Several batches as one."""
        longest = max(part.ids.shape[1] for part in parts)
        before = torch.tensor([len(part.images) for part in parts]).cumsum(0).tolist()
        return cls(
            torch.cat([part.texts for part in parts]),
            torch.cat([part.images for part in parts]),
            torch.cat([_widened(part.ids, longest) for part in parts]),
            torch.cat([part.owner + first for part, first in zip(parts, [0, *before], strict=False)]),
        )


@dataclass(frozen=True, slots=True)
class Pairs:
    """This process's texts beside the pictures of all processes.

    A text is right for every picture that has the very same text, its own or another. Said by lists, of which the
    matrix `[R, P]` would be made: `distinct` numbers the texts of all processes, and `right` pairs them with pictures.

    texts: `[R, E]`; images: `[P, E]`. own: which of the pictures are this process's.
    together: whether there are other processes' pictures among them.
    distinct: `[R]` int64, in 0 ... G - 1. right: `[2, M]` int64, distinct texts and the pictures they are right for.
    copies: `[G]`, how many texts of all processes each distinct text stands for.
    """

    texts: Tensor
    images: Tensor
    own: slice
    together: bool
    distinct: Tensor
    right: Tensor
    copies: Tensor

    @classmethod
    def of(cls, own: Embedded, together: bool) -> Pairs:
        """together: whether to compare with other processes, if there are any; all of them must call this then."""
        together = together and world() > 1
        mine, pictures = slice(0, len(own.texts)), slice(0, len(own.images))
        everyone = own
        if together:
            sizes = gather_numbers(len(own.texts), len(own.images), own.ids.shape[1], device=own.texts.device)
            of_texts, of_images = sizes[:, 0].tolist(), sizes[:, 1].tolist()
            mine, pictures = own_rows(of_texts), own_rows(of_images)
            everyone = replace(
                own,
                images=gather(own.images, of_images),
                ids=gather(_widened(own.ids, int(sizes[:, 2].max())), of_texts),
                owner=gather(own.owner + pictures.start, of_texts),
            )
        _, distinct, copies = torch.unique(everyone.ids, dim=0, return_inverse=True, return_counts=True)
        right = torch.unique(torch.stack([distinct, everyone.owner]), dim=1)
        return cls(own.texts, everyone.images, pictures, together, distinct[mine], right, copies)

    @property
    def pictures_of_text(self) -> Tensor:
        """`[G]`: for how many pictures each distinct text is right."""
        return torch.bincount(self.right[0], minlength=len(self.copies)).to(self.images.dtype)

    @property
    def texts_of_picture(self) -> Tensor:
        """`[P]`: how many texts are right for each picture."""
        return torch.bincount(self.right[1], self.copies[self.right[0]], len(self.images)).to(self.images.dtype)

    def to_right_pictures(self, weights: Tensor) -> Tensor:
        """`Σ weights · cosine` over the pictures that are right for each text, `[R]`. weights: `[M]`, as in `right`."""
        text, picture = self.right
        none = self.images.new_zeros(len(self.copies), self.images.shape[1])
        summed = none.index_add(0, text, self.images[picture] * weights.unsqueeze(1))
        return (self.texts * summed[self.distinct]).sum(1)

    def is_right(self, picture: Tensor) -> Tensor:
        """`[R]` picture numbers, one a text → `[R]` bool."""
        known = self.right[0] * len(self.images) + self.right[1]  # ascending
        return torch.isin(self.distinct * len(self.images) + picture, known)

    def over_all_texts(self, sums: Tensor) -> Tensor:
        """`[P]` logarithms of sums over this process's texts → the same over the texts of all processes."""
        if not self.together:
            return sums
        return gather(sums.unsqueeze(0), [1] * world()).logsumexp(0)


class PairsTerm(Term[PairsConfig]):
    """An objective that compares all texts with all pictures: of a batch, or of all batches of an optimizer step
    (`train.gradient_cache`), and in training of all processes."""

    joins: ClassVar[bool] = True

    def count(self, batch: Batch) -> float:
        """Texts that have a picture."""
        text = batch.texts.get(self.config.stream)
        return 0.0 if text is None else float((text.image >= 0).sum())

    def __call__(self, forward: Forward) -> Loss:
        return self.compare(forward, Embedded.of(forward, self.config.stream))

    def compare(self, forward: Forward, embedded: Embedded) -> Loss:
        """The loss of some embeddings; of `forward` only the model's learned scalars are read."""
        pairs = Pairs.of(embedded, together=forward.model.training)
        if not len(pairs.copies):
            return Loss(torch.zeros((), device=pairs.texts.device), torch.zeros((), device=pairs.texts.device))
        return self.loss(forward, pairs)

    @abstractmethod
    def loss(self, forward: Forward, pairs: Pairs) -> Loss:
        """The loss of pairs, summed over this process's texts; some process has a text."""


def positives(text: TextBatch, images: int) -> Tensor:
    """The matrix that `Pairs` does without, bool `[R, P]`: whether a text is right for a picture of the same batch."""
    distinct, number = torch.unique(_alone(text), dim=0, return_inverse=True)
    right = torch.zeros(len(distinct), images, dtype=torch.bool, device=text.ids.device)
    shown = text.image >= 0
    right[number[shown], text.image[shown]] = True
    return right[number]


def _alone(text: TextBatch) -> Tensor:
    """The ids without what pads them, so that equal texts are equal."""
    return text.ids.masked_fill(~text.attention_mask, -1)


def _widened(ids: Tensor, length: int) -> Tensor:
    return F.pad(ids, (0, length - ids.shape[1]), value=-1)
