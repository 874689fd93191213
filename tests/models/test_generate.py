"""Decoding in batches with a cache, against one row at a time that reads all again for each word."""

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.models.speaking import EOS, PROMPTS, a_language_model, embedded, ids, scores, slow
from tuwen.core.errors import DataError
from tuwen.core.rooms import build_part
from tuwen.language import LanguageContext, LanguageModel
from tuwen.models.generate import Decoding, generate, generate_batches, score, stream
from tuwen.models.reading import AT_ONCE, Desk, Reader


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


@pytest.mark.parametrize("how", [Decoding(max_new_tokens=12), Decoding(max_new_tokens=6, beams=3)])
@pytest.mark.parametrize("reach", [0, 2])
def test_batches_that_use_what_was_left_say_what_each_says_alone(how: Decoding, reach: int) -> None:
    """Their rows are fewer, more, longer and shorter; one that is too large for the memory has its own."""
    language = a_language_model("rotary", reach)
    one, two, three, four = embedded(language, seen=True)
    batches = [[one, two, three], [four], [two, one], [one, two, three, four], [torch.cat([two] * 5), one], [three]]
    found = generate_batches(language, batches, EOS, how)
    for said, batch in zip(found, batches, strict=True):
        for text, wanted in zip(said, generate(language, batch, EOS, how), strict=True):
            assert text.ids == wanted.ids
            assert text.log_probabilities == pytest.approx(wanted.log_probabilities, abs=1e-4)


def test_a_batch_is_asked_for_when_its_turn_comes() -> None:
    language, asked = a_language_model(), list[int]()

    def batches() -> Iterator[list[Tensor]]:
        for number in range(3):
            asked.append(number)
            yield embedded(language)

    found = generate_batches(language, batches(), EOS, Decoding(max_new_tokens=2))
    assert not asked
    for number, _ in enumerate(found):
        assert asked == list(range(number + 1))


def test_memory_of_the_batch_before_is_used_again() -> None:
    language = a_language_model()
    desk, rows = Desk(language), embedded(language)
    with torch.inference_mode():
        first = Reader(desk, rows)
        first.read(torch.tensor([5, 6, 7, 8]))
        second = Reader(desk, rows[:2])
    assert [layer.key.data_ptr() for layer in second.past] == [layer.key.data_ptr() for layer in first.past]
    assert not desk.rooms, "two batches would write to one memory"


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
