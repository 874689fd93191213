"""Decoding with a language model and its KV cache."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tuwen.language import PREFIX, LanguageModel, causal_mask, positions_in


@torch.inference_mode()
def generate(
    language: LanguageModel,
    prompts: Sequence[Sequence[int]],
    *,
    eos: int,
    pad: int,
    max_new_tokens: int,
    prefix: Tensor | None = None,
) -> list[list[int]]:
    """Greedy continuation of each prompt until `eos`, in one batch; rows that are done leave it.

    A row also ends where the language model cannot read on (its `max_length`).

    Args:
        language: any language model.
        prompts: B prompts of token ids, of any lengths.
        eos, pad: the ids that end and fill a row.
        max_new_tokens: at most so many tokens are added.
        prefix: `[B, P, D]`, the picture that each prompt speaks of.

    Returns:
        The new token ids of each prompt, without `eos`.
    """
    device = next(language.parameters()).device
    embeddings, segments = _prompt(language, prompts, prefix, pad, device)
    hidden, past = language.step(embeddings, positions_in(segments), causal_mask(segments), None)
    lengths = (segments != 0).sum(1)
    last = hidden[torch.arange(len(prompts), device=device), lengths - 1]
    seen = segments != 0
    active = torch.arange(len(prompts), device=device)
    texts: list[list[int]] = [[] for _ in prompts]
    for number in range(max_new_tokens):
        chosen = language.logits(last).argmax(-1)
        said = chosen != eos
        for row, token in zip(active[said].tolist(), chosen[said].tolist(), strict=True):
            texts[row].append(token)
        going = said & (lengths < language.max_length)
        if not going.any() or number + 1 == max_new_tokens:
            break
        if not going.all():
            active, chosen, seen, lengths = active[going], chosen[going], seen[going], lengths[going]
            kept = going.nonzero().squeeze(1)
            past = [layer.select(kept) for layer in past]
        seen = torch.cat([seen, seen.new_ones(len(seen), 1)], 1)
        hidden, past = language.step(language.embed(chosen[:, None]), lengths[:, None], seen[:, None], past)
        last, lengths = hidden[:, 0], lengths + 1
    return texts


def _prompt(
    language: LanguageModel, prompts: Sequence[Sequence[int]], prefix: Tensor | None, pad: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The prompts behind their prefixes, padded behind: embeddings `[B, L, D]` and segments `[B, L]`."""
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[*prompt, *[pad] * (longest - len(prompt))] for prompt in prompts], device=device)
    segments = torch.tensor([[1] * len(p) + [0] * (longest - len(p)) for p in prompts], device=device)
    embeddings = language.embed(ids)
    if prefix is None:
        return embeddings, segments
    before = torch.full(prefix.shape[:2], PREFIX, device=device)
    return torch.cat([prefix.to(embeddings.dtype), embeddings], 1), torch.cat([before, segments], 1)
