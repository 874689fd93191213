"""Guess the hidden tokens of a text (Devlin et al. 2019, BERT, arXiv:1810.04805, section 3.1).

In each text 15 % of the tokens are chosen; of these 80 % are replaced by the mask, 10 % by a random token, and 10 %
stay as they are. With a head that reads `fused` the picture helps to guess (Li et al. 2021, ALBEF, arXiv:2107.07651,
section 3.2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tuwen.core.batch import Batch, TextBatch
from tuwen.core.errors import RecipeError
from tuwen.core.loss import Loss
from tuwen.core.precision import precise
from tuwen.models.config import HeadConfig
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveConfig, ObjectiveContext, Term

MASKED, RANDOM = 0.8, 0.1
"""Shares of the chosen tokens that are replaced by the mask and by a random token; the rest stays."""


class Config(ObjectiveConfig):
    """stream: the texts. share: of each text's tokens that are guessed, at least one of them.

    head: a head over the `vocabulary`. It reads `text`, or `fused` for the text with its picture; the fusion must then
        return a vector for each token, as `cross_attention` does.
    """

    stream: str = "retrieve"
    head: str = "mask"
    share: float = Field(default=0.15, gt=0, le=1)


class MaskedLM(Term[Config]):
    """Cross-entropy, summed over the chosen tokens. They are drawn anew each time, from PyTorch's generator."""

    heads = {"head": HeadConfig(reads="text", classes="vocabulary")}

    def __init__(self, config: Config, context: ObjectiveContext) -> None:
        super().__init__(config)
        if context.mask is None:
            raise RecipeError("objective masked_lm: this tokenizer has no token that hides another (mask_token).")
        self.mask, self.special = context.mask, torch.tensor(context.special)
        ids = torch.arange(context.vocab_size)
        self.words = ids[~torch.isin(ids, self.special)]

    def count(self, batch: Batch) -> float:
        text = batch.texts.get(self.config.stream)
        return 0.0 if text is None else float(self._quota(self._candidates(text)).sum())

    def __call__(self, forward: Forward) -> Loss:
        text = forward.stream(self.config.stream)
        chosen = self.choose(text)
        hidden = self._hide(text.ids, chosen)
        tokens = forward.guessed_from(self.config.head, self.config.stream, hidden).tokens
        if tokens.shape[:2] != chosen.shape:
            raise RecipeError(
                f"objective masked_lm: the head {self.config.head!r} reads a fusion that has no vector for each token: "
                "use cross_attention, or a head that reads text."
            )
        logits = precise(forward.model.head(self.config.head)(tokens[chosen]))
        truth = text.ids[chosen]
        losses = F.cross_entropy(logits, truth, reduction="none")
        return Loss.over(losses, accuracy=(logits.argmax(-1) == truth).float().mean())

    def _candidates(self, text: TextBatch) -> Tensor:
        """bool `[R, L]`: the tokens that may be chosen, all but special ones and padding."""
        return text.attention_mask & ~torch.isin(text.ids, self.special.to(text.ids.device))

    def _quota(self, candidates: Tensor) -> Tensor:
        """How many tokens of each row are chosen, `[R]`; known beforehand, so that accumulation is exact."""
        there = candidates.sum(1)
        return (there * self.config.share).round().long().clamp(min=1).minimum(there)

    def choose(self, text: TextBatch) -> Tensor:
        """bool `[R, L]`: each row's quota of its candidates, at random."""
        candidates = self._candidates(text)
        draw = torch.rand(text.ids.shape, device=text.ids.device).masked_fill(~candidates, 2)
        return draw.argsort(1).argsort(1) < self._quota(candidates)[:, None]

    def _hide(self, ids: Tensor, chosen: Tensor) -> Tensor:
        """The ids `[R, L]`, most of the chosen ones replaced."""
        draw = torch.rand(ids.shape, device=ids.device)
        words = self.words.to(ids.device)[torch.randint(len(self.words), ids.shape, device=ids.device)]
        replaced = torch.where(draw < MASKED, self.mask, torch.where(draw < MASKED + RANDOM, words, ids))
        return torch.where(chosen, replaced, ids)


def build(config: Config, context: ObjectiveContext) -> MaskedLM:
    return MaskedLM(config, context)
