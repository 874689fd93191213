"""Greedy decoding in batches with a cache, against one row at a time that reads all again for each word."""

import pytest
import torch
from torch import Tensor

from tests import tiny
from tuwen.language import PREFIX, LanguageModel, causal_mask, positions_in
from tuwen.models.generate import generate

EOS, PAD = tiny.tokenizer().eos, tiny.tokenizer().pad
PROMPTS = [[1, 9, 3], [1, 7, 8, 22, 3], [1, 3], [1, 40, 41, 3]]


def a_language_model(seed: int = 0) -> LanguageModel:
    """A random one whose words depend much on what was said before."""
    language = tiny.model(seed=seed).language
    assert language is not None
    with torch.no_grad():
        for parameter in language.parameters():
            parameter.mul_(1.7)
    return language


@torch.inference_mode()
def slow(
    language: LanguageModel, prompt: list[int], longest: int, prefix: Tensor | None = None, eos: int = EOS
) -> list[int]:
    """One row, without a cache."""
    said: list[int] = []
    before = 0 if prefix is None else prefix.shape[1]
    while len(said) < longest:
        ids = torch.tensor([prompt + said])
        if before + ids.shape[1] > language.max_length:
            break
        segments = torch.ones_like(ids)
        embeddings = language.embed(ids)
        if prefix is not None:
            embeddings = torch.cat([prefix, embeddings], 1)
            segments = torch.cat([torch.full((1, before), PREFIX), segments], 1)
        hidden = language(embeddings, positions_in(segments), causal_mask(segments))
        token = int(language.logits(hidden[0, -1]).argmax())
        if token == eos:
            break
        said.append(token)
    return said


@pytest.mark.parametrize("seen", [False, True])
def test_a_batch_says_what_each_prompt_says_alone(seen: bool) -> None:
    language = a_language_model()
    prefix = torch.randn(4, 3, language.width, generator=torch.Generator().manual_seed(0)) if seen else None
    found = generate(language, PROMPTS, eos=EOS, pad=PAD, max_new_tokens=12, prefix=prefix)
    wanted = [
        slow(language, prompt, 12, None if prefix is None else prefix[[row]]) for row, prompt in enumerate(PROMPTS)
    ]
    assert found == wanted
    assert len({tuple(text) for text in found}) > 1, "all rows say the same, which proves little"


def test_rows_that_are_done_leave_and_the_others_go_on() -> None:
    """The end is a word that the rows say at different times."""
    language = a_language_model()
    free = [slow(language, prompt, 12) for prompt in PROMPTS]
    ends = {token: [text.index(token) if token in text else 12 for text in free] for text in free for token in text}
    eos = max(ends, key=lambda token: len(set(ends[token])))
    assert len(set(ends[eos])) > 1
    found = generate(language, PROMPTS, eos=eos, pad=PAD, max_new_tokens=12)
    assert found == [slow(language, prompt, 12, eos=eos) for prompt in PROMPTS]
    assert [len(text) for text in found] == ends[eos]


def test_no_more_words_than_asked_for() -> None:
    language = a_language_model()
    for longest in (0, 1, 3):
        found = generate(language, PROMPTS, eos=-1, pad=PAD, max_new_tokens=longest)
        assert [len(text) for text in found] == [longest] * 4


def test_a_text_ends_where_the_language_model_cannot_read_on() -> None:
    language = a_language_model()
    found = generate(language, PROMPTS, eos=-1, pad=PAD, max_new_tokens=10_000)
    assert [len(prompt) + len(text) for prompt, text in zip(PROMPTS, found, strict=True)] == [
        language.max_length + 1
    ] * 4
    assert found[2] == slow(language, PROMPTS[2], 10_000, eos=-1)
