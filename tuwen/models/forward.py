"""One batch through one model: every encoding is computed once, when somebody first asks for it.

Objectives share it, so a joint loss costs one pass, and no objective knows which others there are.
Shapes: P pictures, R text rows, L tokens, N patches, D width of a part, E width of the common space.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.core.batch import Batch, TextBatch
from tuwen.core.errors import DataError, RecipeError
from tuwen.core.features import Features
from tuwen.core.precision import precise
from tuwen.language import PREFIX, causal_mask, positions_in
from tuwen.models.interleave import Interleaved, interleave

if TYPE_CHECKING:
    from tuwen.models.model import VisionLanguageModel
    from tuwen.towers.text import TextTower

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a language model predicts at the M positions of a stream that carry a loss.

    logits: `[M, V]`; targets: `[M]` token ids; rows: `[M]` the text row of each.
    """

    logits: Tensor
    targets: Tensor
    rows: Tensor


class Forward:
    """The memoised forward pass."""

    def __init__(self, model: VisionLanguageModel, batch: Batch) -> None:
        self.model = model
        self.batch = batch
        self._gradients = torch.is_grad_enabled()
        self._memo: dict[tuple[str, ...], object] = {}

    def stream(self, name: str) -> TextBatch:
        """A text stream of the batch.

        Raises:
            DataError: the batch has no such stream.
        """
        if name not in self.batch.texts:
            there = ", ".join(sorted(self.batch.texts)) or "none"
            raise DataError(f"the batch has no texts for {name!r} (there are: {there}); a task must make them.")
        return self.batch.texts[name]

    @property
    def image(self) -> Features:
        """Features of the pictures: tokens `[P, N, D]`, pooled `[P, D]`."""
        return self._once(("image",), lambda: self._encode_image(self.batch.pixels))

    @property
    def image_pooled(self) -> Tensor:
        """`[P, D]`, one vector a picture; where no part of the model reads patches, nothing is computed for them."""
        if self.model.reads_patches:
            return self.image.pooled
        tower = self.model.require("image_tower")
        return self._once(("image_pooled",), lambda: tower.pooled(self._pixels(self.batch.pixels)))

    @property
    def view(self) -> Features:
        """Features of the pictures' other views, as `image`."""
        return self._once(("view",), lambda: self._encode_image(self.batch.views))

    def text(self, stream: str) -> Features:
        """Features of a stream's texts: tokens `[R, L, D]`, pooled `[R, D]`."""
        return self._once(("text", stream), lambda: self.rewritten(stream, self.stream(stream).ids))

    def text_pooled(self, stream: str) -> Tensor:
        """`[R, D]`, one vector a text; where no part of the model reads their tokens, less is computed for them."""
        if self.model.fusion is not None:
            return self.text(stream).pooled
        text = self.stream(stream)
        return self._once(
            ("text_pooled", stream), lambda: self._text_tower(stream).pooled(text.ids, text.attention_mask)
        )

    def rewritten(self, stream: str, ids: Tensor) -> Features:
        """As `text`, but with other ids `[R, L]` in the places of the stream's (some hidden, say). Not remembered.

        Raises:
            RecipeError: the stream packs several texts into a row, which only a language model can tell apart.
        """
        return self._text_tower(stream)(ids, self.stream(stream).attention_mask)

    def _text_tower(self, stream: str) -> TextTower:
        """The model's, if it can read the stream."""
        tower: TextTower = self.model.require("text_tower")
        if (self.stream(stream).segments > 1).any():
            raise RecipeError(f"the stream {stream!r} packs texts for a language model; a text tower cannot read it.")
        return tower

    @property
    def image_embedding(self) -> Tensor:
        """`[P, E]` of unit length."""
        project = self.model.require("image_projection")
        return self._once(("image_embedding",), lambda: F.normalize(precise(project(self.image_pooled)), dim=-1))

    def text_embedding(self, stream: str) -> Tensor:
        """`[R, E]` of unit length."""
        project = self.model.require("text_projection")
        return self._once(
            ("text_embedding", stream), lambda: F.normalize(precise(project(self.text_pooled(stream))), dim=-1)
        )

    def similarity(self, stream: str) -> Tensor:
        """The cosine of each of a stream's texts with each picture, `[R, P]`; in float32 whatever the precision."""
        return self._once(("similarity", stream), lambda: self._compare(stream))

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied by to make them logits: one over the learned temperature."""
        return self.model.require("logit_scale").exp()

    def fused(self, stream: str) -> Features:
        """Each text of a stream joined with its own picture: tokens `[R, N, D]`, pooled `[R, D]`."""
        return self._once(("fused", stream), lambda: self.joined(stream, self.text(stream)))

    def joined(self, stream: str, text: Features) -> Features:
        """As `fused`, but with other features of the stream's texts. Not remembered."""
        rows = self.stream(stream)
        if (rows.image < 0).any():
            raise DataError(f"some texts of {stream!r} have no picture that they could be joined with.")
        return self.model.require("fusion")(self.image, text, rows.image if rows.rows_per_image is None else None)

    def guessed_from(self, head: str, stream: str, ids: Tensor) -> Features:
        """What a head over the vocabulary reads of texts with other ids `[R, L]`: as `rewritten`, or as `joined`."""
        text = self.rewritten(stream, ids)
        return self.joined(stream, text) if self.model.reads(head) == "fused" else text

    def fused_pairs(self, stream: str, texts: Tensor, images: Tensor) -> Features:
        """Chosen texts joined with chosen pictures. Two of `[M]` → pooled `[M, D]`. Not remembered."""
        features = self.text(stream)
        mask = None if features.mask is None else features.mask[texts]
        chosen = Features(features.tokens[texts], features.pooled[texts], mask)
        return self.model.require("fusion")(self.image, chosen, images)

    def logits(self, head: str, stream: str | None = None) -> Tensor:
        """A head's logits, `[P, C]` where it reads pictures, else `[R, C]` for a stream."""
        return self._once(("logits", head, stream or ""), lambda: self._head(head, stream))

    def predictions(self, stream: str) -> Predictions:
        """The language model's predictions of a stream's tokens, after their picture's prefix."""
        return self._once(("predictions", stream), lambda: self._predict(stream))

    def _once(self, key: tuple[str, ...], compute: Callable[[], T]) -> T:
        if key not in self._memo:
            with torch.set_grad_enabled(self._gradients):  # whoever asks first, all others may need gradients
                self._memo[key] = compute()
        return self._memo[key]  # type: ignore[return-value]

    def _encode_image(self, pixels: Tensor | None) -> Features:
        return self.model.require("image_tower")(self._pixels(pixels))

    def _pixels(self, pixels: Tensor | None) -> Tensor:
        if pixels is None:
            raise DataError("an objective asks for pictures, but the batch has none.")
        return self.model.normalise(pixels)

    def _compare(self, stream: str) -> Tensor:
        texts, images = self.text_embedding(stream), self.image_embedding
        with torch.autocast(images.device.type, enabled=False):
            return texts @ images.T

    def _head(self, head: str, stream: str | None) -> Tensor:
        classify = self.model.head(head)
        reads = self.model.reads(head)
        if (reads == "image") != (stream is None):
            asked = "the pictures" if stream is None else f"the texts of {stream!r}"
            raise RecipeError(f"model.heads.{head}: reads {reads!r}, and is asked about {asked}.")
        if stream is None:
            return classify(self.image_pooled)
        return classify(self.text_pooled(stream) if reads == "text" else self.fused(stream).pooled)

    def _predict(self, stream: str) -> Predictions:
        text = self.stream(stream)
        language = self.model.require("language")
        if text.loss_mask is None:
            raise DataError(f"no position of the stream {stream!r} carries a loss: its task gives texts to read only.")
        read = self._behind_pictures(text) if text.slots is None else self._among_pictures(text, text.slots)
        rows, places = text.loss_mask.nonzero(as_tuple=True)
        upto = text.loss_mask.cumsum(1)
        asking = upto.new_zeros(len(upto), int(upto[:, -1].max()))
        number = upto[rows, places] - 1
        asking[rows, number] = read.places[rows, places] - 1
        hidden = language.hidden_at(read.embeddings, positions_in(read.segments), causal_mask(read.segments), asking)
        return Predictions(language.logits(hidden[rows, number]), text.ids[rows, places], rows)

    def _behind_pictures(self, text: TextBatch) -> Interleaved:
        """Each row behind the prefix of its picture, which all of its texts see."""
        embeddings, segments = self.model.require("language").embed(text.ids), text.segments
        prefix = 0
        if self.batch.pixels is not None:
            pictures = self.model.seen(self.image)
            if text.rows_per_image != 1:
                pictures = pictures[text.image]
            prefix = pictures.shape[1]
            embeddings = torch.cat([pictures.to(embeddings.dtype), embeddings], 1)
            segments = F.pad(segments, (prefix, 0), value=PREFIX)
            segments[:, :prefix][text.image < 0] = 0  # a text without a picture sees nothing there
        places = torch.arange(text.ids.shape[1], device=text.ids.device).expand_as(text.ids) + prefix
        return Interleaved(embeddings, segments, places)

    def _among_pictures(self, text: TextBatch, slots: Tensor) -> Interleaved:
        """Each row with the prefixes of its pictures where they stand."""
        words = self.model.require("language").embed(text.ids.clamp(min=0))
        return interleave(text.ids, text.segments, words, self.model.seen(self.image)[slots])
