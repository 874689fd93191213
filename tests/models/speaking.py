"""Language models whose words depend much on what was said before, and the obvious way to have them speak."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tests import tiny
from tuwen.language import LanguageModel, causal_mask, positions_in
from tuwen.models.generate import Continuation

EOS = tiny.tokenizer().eos
PROMPTS = [[1, 9, 3], [1, 7, 8, 22, 3], [1, 3], [1, 40, 41, 3]]


def a_language_model(positions: str = "learned", reach: int = 0) -> LanguageModel:
    """A random one whose words depend much on what was said before."""
    spec = {"kind": "gpt", "width": 24, "depth": 2, "heads": 2, "positions": positions, "reach": reach}
    language = tiny.model(language=spec).language
    assert language is not None
    with torch.no_grad():
        for parameter in language.parameters():
            parameter.mul_(1.7)
    return language


def embedded(language: LanguageModel, seen: bool = False) -> list[Tensor]:
    """The prompts, and between their words a picture or two, in another place each, where some are `seen`."""
    rows = [language.embed(torch.tensor(prompt)).detach() for prompt in PROMPTS]
    if not seen:
        return rows
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(4, 3, language.width, generator=generator)
    return [
        torch.cat([pictures[0], rows[0]]),
        torch.cat([rows[1][:2], pictures[1], rows[1][2:]]),
        torch.cat([rows[2][:1], pictures[2], rows[2][1:], pictures[3]]),
        rows[3],
    ]


@torch.inference_mode()
def scores(language: LanguageModel, prompt: Tensor, said: Sequence[int]) -> Tensor:
    """Log-probabilities of what comes after a prompt and some words, `[V]`, without a cache."""
    row = torch.cat([prompt, language.embed(torch.tensor(list(said), dtype=torch.int64))])[None]
    ones = torch.ones(row.shape[:2], dtype=torch.int64)
    hidden = language(row, positions_in(ones), causal_mask(ones))
    return language.logits(hidden[0, -1]).log_softmax(-1)


def slow(
    language: LanguageModel,
    prompt: Tensor,
    longest: int,
    eos: int = EOS,
    choose: Callable[[Tensor], int] = lambda found: int(found.argmax()),
) -> list[int]:
    """One row, without a cache."""
    said: list[int] = []
    while len(said) < longest and len(prompt) + len(said) <= language.max_length:
        token = choose(scores(language, prompt, said))
        if token == eos:
            break
        said.append(token)
    return said


def ids(found: Sequence[Continuation]) -> list[list[int]]:
    return [list(text.ids) for text in found]
