"""How the tests of language models read with them."""

import torch
from torch import Tensor

from tests.conformance.checks import CLOSE
from tuwen.language import PREFIX, LanguageModel, causal_mask, positions_in


def read(language: LanguageModel, ids: Tensor, segments: Tensor, prefix: Tensor | None = None) -> Tensor:
    """Hidden states of the ids, after a prefix `[B, P, D]` where there is one."""
    embeddings, length = language.embed(ids), 0
    if prefix is not None:
        length = prefix.shape[1]
        embeddings = torch.cat([prefix, embeddings], 1)
        segments = torch.cat([torch.full(prefix.shape[:2], PREFIX), segments], 1)
    return language(embeddings, positions_in(segments), causal_mask(segments))[:, length:]


def assert_reading_on_equals_reading_at_once(language: LanguageModel, ids: Tensor, cuts: list[int]) -> None:
    """Read ids `[B, L]`, of which the first two stand for a prefix, in pieces of so many tokens, and all at once."""
    segments = torch.ones_like(ids)
    segments[:, :2] = PREFIX
    mask, places, embeddings = causal_mask(segments), positions_in(segments), language.embed(ids)
    whole = language(embeddings, places, mask)
    past, start, parts = None, 0, []
    for cut in cuts:
        now = slice(start, start + cut)
        part, past = language.step(embeddings[:, now], places[:, now], mask[:, now, : start + cut], past)
        parts.append(part)
        start += cut
    torch.testing.assert_close(torch.cat(parts, 1), whole, **CLOSE)
