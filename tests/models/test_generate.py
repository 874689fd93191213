"""Decoding in batches with a cache, against one row at a time that reads all again for each word."""

import itertools
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from tests import tiny
from tuwen.core.errors import DataError, RecipeError
from tuwen.core.rooms import build_part, validate
from tuwen.language import LanguageContext, LanguageModel, causal_mask, positions_in
from tuwen.models.generate import Continuation, Decoding, generate, nucleus, score, stream
from tuwen.models.reading import AT_ONCE

EOS = tiny.tokenizer().eos
PROMPTS = [[1, 9, 3], [1, 7, 8, 22, 3], [1, 3], [1, 40, 41, 3]]


def a_language_model(positions: str = "learned") -> LanguageModel:
    """A random one whose words depend much on what was said before."""
    spec = {"kind": "gpt", "width": 24, "depth": 2, "heads": 2, "positions": positions}
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


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("seen", [False, True])
def test_a_batch_of_any_layouts_says_what_each_prompt_says_alone(positions: str, seen: bool) -> None:
    language = a_language_model(positions)
    prompts = embedded(language, seen)
    found = generate(language, prompts, EOS, Decoding(max_new_tokens=12))
    assert ids(found) == [slow(language, prompt, 12) for prompt in prompts]
    assert len({text.ids for text in found}) > 1, "all rows say the same, which proves little"
    for prompt, text in zip(prompts, found, strict=True):
        wanted = [float(scores(language, prompt, text.ids[:n])[token]) for n, token in enumerate(text.ids)]
        assert text.log_probabilities == pytest.approx(wanted, abs=1e-4)
        assert text.log_probability == pytest.approx(sum(wanted), abs=1e-3)


def test_rows_that_are_done_leave_and_the_others_go_on() -> None:
    """The end is a word that the rows say at different times."""
    language = a_language_model()
    prompts = embedded(language)
    free = [slow(language, prompt, 12) for prompt in prompts]
    ends = {token: [text.index(token) if token in text else 12 for text in free] for text in free for token in text}
    eos = max(ends, key=lambda token: len(set(ends[token])))
    assert len(set(ends[eos])) > 1
    found = generate(language, prompts, eos, Decoding(max_new_tokens=12))
    assert ids(found) == [slow(language, prompt, 12, eos=eos) for prompt in prompts]
    assert [len(text.ids) for text in found] == ends[eos]
    assert [text.whole for text in found] == [end < 12 for end in ends[eos]]


@pytest.mark.parametrize("at_once", [1, 7, 12])
def test_prompts_that_are_read_in_parts_say_the_same(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    language = a_language_model("rotary")
    prompts = embedded(language, seen=True)
    whole = generate(language, prompts, EOS, Decoding(max_new_tokens=12))
    monkeypatch.setitem(AT_ONCE, "cpu", at_once)
    parts = generate(language, prompts, EOS, Decoding(max_new_tokens=12))
    assert ids(parts) == ids(whole)
    for one, other in zip(parts, whole, strict=True):
        assert one.log_probabilities == pytest.approx(other.log_probabilities, abs=1e-4)


def test_no_more_words_than_asked_for() -> None:
    language = a_language_model()
    for longest in (0, 1, 3):
        for beams in (1, 2):
            found = generate(language, embedded(language), -1, Decoding(max_new_tokens=longest, beams=beams))
            assert [len(text.ids) for text in found] == [longest] * 4
            assert not any(text.whole for text in found)


def test_a_text_ends_where_the_language_model_cannot_read_on() -> None:
    language = a_language_model()
    for beams in (1, 2):
        found = generate(language, embedded(language), -1, Decoding(max_new_tokens=10_000, beams=beams))
        total = [len(prompt) + len(text.ids) for prompt, text in zip(PROMPTS, found, strict=True)]
        assert total == [language.max_length + 1] * 4


def test_a_prompt_that_cannot_be_read_is_refused() -> None:
    language = a_language_model()
    long = torch.zeros(language.max_length + 1, language.width)
    with pytest.raises(DataError, match=f"has {len(long)} tokens .* reads 1 to {language.max_length}"):
        generate(language, [long], EOS, Decoding())


def test_steps_are_told_as_they_come() -> None:
    language = a_language_model()
    prompts = embedded(language)
    eos = slow(language, prompts[0], 5)[2]
    steps = list(stream(language, prompts, eos, Decoding(max_new_tokens=6)))
    assert [said.row for said in steps[0]] == [0, 1, 2, 3]
    for row, prompt in enumerate(prompts):
        own = [said for step in steps for said in step if said.row == row]
        spoken = slow(language, prompt, 6, eos=eos)
        assert [said.token for said in own if said.token is not None] == spoken
        assert [said.whole for said in own] == [False] * (len(own) - 1) + [len(spoken) < 6]


def test_a_row_ends_where_it_is_told_to() -> None:
    language = a_language_model()
    free = [slow(language, prompt, 8) for prompt in embedded(language)]
    found = generate(
        language,
        embedded(language),
        -1,
        Decoding(max_new_tokens=8),
        lambda said: said[-1] == free[0][1] or len(said) == 4,
    )
    assert found[0].ids == tuple(free[0][: free[0].index(free[0][1]) + 1])
    assert all(text.whole for text in found)
    assert max(len(text.ids) for text in found) == 4


def exhaustive(
    language: LanguageModel, prompt: Tensor, eos: int, length: int, penalty: float, words: range
) -> tuple[int, ...]:
    """The best text of at most so many tokens, of all that there are."""
    worths: dict[tuple[int, ...], float] = {}
    for size in range(length + 1):
        for text in itertools.product([word for word in words if word != eos], repeat=size):
            total = sum(float(scores(language, prompt, text[:n])[token]) for n, token in enumerate(text))
            if size < length:
                worths[text] = (total + float(scores(language, prompt, text)[eos])) / (size + 1) ** penalty
            else:
                worths[text] = total / max(1, size) ** penalty
    return max(worths, key=lambda text: worths[text])


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_enough_beams_find_the_best_text_of_all(penalty: float) -> None:
    """Five words, texts of up to three: a beam as wide as there are texts misses none."""
    torch.manual_seed(0)
    spec = {"kind": "gpt", "width": 16, "depth": 1, "heads": 2}
    language = build_part("language", spec, LanguageContext(vocab_size=5, max_length=16)).eval()
    with torch.no_grad():
        for parameter in language.parameters():
            parameter.mul_(1.2)
    prompts = [language.embed(torch.tensor(prompt)).detach() for prompt in ([1, 2], [3], [4, 4, 1], [0], [3, 3])]
    how = Decoding(max_new_tokens=3, beams=64, length_penalty=penalty)
    found = generate(language, prompts, 2, how)
    assert [text.ids for text in found] == [exhaustive(language, p, 2, 3, penalty, range(5)) for p in prompts]
    greedy = generate(language, prompts, 2, Decoding(max_new_tokens=3))
    assert [text.ids for text in greedy] != [text.ids for text in found]


def test_beams_do_not_depend_on_company() -> None:
    language = a_language_model()
    prompts = embedded(language, seen=True)
    eos = slow(language, prompts[1], 6)[3]
    how = Decoding(max_new_tokens=7, beams=3)
    together = generate(language, prompts, eos, how)
    for prompt, text in zip(prompts, together, strict=True):
        alone = generate(language, [prompt], eos, how)[0]
        assert alone.ids == text.ids
        assert alone.log_probabilities == pytest.approx(text.log_probabilities, abs=1e-4)


def test_one_share_of_the_nucleus_by_hand() -> None:
    """Shares 0.5, 0.3, 0.15, 0.05: the nucleus of 0.7 has the first two, which have 5/8 and 3/8 of it."""
    logits = torch.tensor([0.15, 0.5, 0.05, 0.3]).log().expand(5, 4)
    draws = torch.tensor([0.0, 0.62, 0.63, 0.9, 0.999])
    assert nucleus(logits, 0.7, draws).tolist() == [1, 1, 3, 3, 3]
    assert nucleus(logits, 0.3, draws).tolist() == [1] * 5
    assert nucleus(logits, 1.0, torch.tensor([0.49, 0.79, 0.94, 0.96, 0.9999])).tolist() == [1, 3, 0, 2, 2]


def test_what_is_drawn_follows_the_probabilities_and_the_seed() -> None:
    language = a_language_model()
    prompt = embedded(language)[0]
    shares = scores(language, prompt, []).exp()
    how = Decoding(max_new_tokens=1, top_p=1.0)
    drawn = [text.ids[0] for text in generate(language, [prompt] * 2000, -1, how)]
    counts = torch.bincount(torch.tensor(drawn), minlength=len(shares)) / 2000
    assert (counts - shares).abs().max() < 5 * (0.25 / 2000) ** 0.5
    longer = how.model_copy(update={"max_new_tokens": 5})
    first, other = (generate(language, embedded(language), EOS, longer.model_copy(update={"seed": s})) for s in (1, 2))
    assert first == generate(language, embedded(language), EOS, longer.model_copy(update={"seed": 1}))
    assert first != other


def test_what_a_row_draws_does_not_depend_on_company() -> None:
    language = a_language_model()
    prompts = embedded(language)
    how = Decoding(max_new_tokens=6, top_p=0.9, temperature=1.5)
    assert generate(language, prompts, EOS, how)[0].ids == generate(language, prompts[:1], EOS, how)[0].ids


def test_a_row_draws_by_its_number_among_all_that_are_asked() -> None:
    """Equal prompts, in one batch or in several: no two rows of a seed, and no two seeds, draw the same."""
    language = a_language_model()
    prompts = embedded(language)[:1] * 6
    for seed in (0, 2**45, 2**200):
        how = Decoding(max_new_tokens=10, top_p=1.0, seed=seed)
        whole = ids(generate(language, prompts, -1, how))
        parts = [generate(language, prompts[:2], -1, how, first=first) for first in (0, 2, 4)]
        assert [text for part in parts for text in ids(part)] == whole
        assert len(set(map(tuple, whole))) == 6
    row = [
        generate(language, prompts[:1], -1, how.model_copy(update={"seed": seed}), first=first)[0].ids
        for seed, first in ((0, 2**20), (1, 0), (2**32, 0), (0, 0))
    ]
    assert len(set(row)) == 4


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-3])
def test_a_cold_draw_is_the_likeliest_token(temperature: float) -> None:
    logits = torch.tensor([[0.1, -3.0, 0.2], [-1e4, -2e4, -3e4]])
    for draw in (0.0, 0.5, 1.0):
        assert nucleus(logits, 1.0, torch.tensor([draw] * 2), temperature).tolist() == [2, 0]
    language = a_language_model()
    drawn = Decoding(max_new_tokens=5, top_p=0.9, temperature=temperature)
    greedy = generate(language, embedded(language), EOS, Decoding(max_new_tokens=5))
    assert ids(generate(language, embedded(language), EOS, drawn)) == ids(greedy)


def test_a_hot_draw_is_of_all_tokens_alike() -> None:
    draws = torch.tensor([0.1, 0.4, 0.6, 0.9])
    drawn = nucleus(torch.tensor([3.0, 0.0, 1.0, 2.0]).expand(4, 4), 1.0, draws, 1e300)
    assert sorted(drawn.tolist()) == [0, 1, 2, 3]


def test_beams_do_not_draw() -> None:
    with pytest.raises(RecipeError, match="generate: beams search and top_p draws: leave top_p out, or use beams=1"):
        validate(Decoding, {"beams": 2, "top_p": 0.9}, "generate")


def test_candidates_are_scored_as_by_reading_them_word_by_word() -> None:
    language = a_language_model()
    prompts = embedded(language, seen=True)
    candidates = [[[5], [6, 7, 8]], [[9, 9]], [[5, 6], [7], [8, 9, 10, 11]], [[12]]]
    found = score(language, prompts, candidates)
    for prompt, texts, own in zip(prompts, candidates, found, strict=True):
        wanted = [sum(float(scores(language, prompt, t[:n])[token]) for n, token in enumerate(t)) for t in texts]
        assert own == pytest.approx(wanted, abs=1e-4)


def test_candidates_that_cannot_be_scored_are_told() -> None:
    language = a_language_model()
    prompts = embedded(language)[:2]
    room = language.max_length - len(PROMPTS[1]) + 1
    assert score(language, prompts, [[[5]], [[6] * room]])[1][0] < 0
    with pytest.raises(
        DataError, match=f"candidate 2 of prompt 2 has {room + 1} tokens, .* has room for {room}: short"
    ):
        score(language, prompts, [[[5]], [[6], [6] * (room + 1)]])
    with pytest.raises(DataError, match="candidate 1 of prompt 4 has no words: give it some"):
        score(language, prompts, [[[5]], [[]]], first=2)
    with pytest.raises(DataError, match="prompt 1 has no candidate: give it at least one"):
        score(language, prompts[:1], [[]])
