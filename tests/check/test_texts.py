"""What is said of a split's texts, counted by hand."""

import pytest

from tuwen.check.texts import describe
from tuwen.core.errors import SampleError
from tuwen.core.sample import Caption, Question, Sample
from tuwen.prep.tokens import Tokenizer, TokenizerConfig

SAMPLES = [
    Sample("a", captions=(Caption("a red cat", "en"), Caption("一只红猫", "zh")), label="cat"),
    Sample("b", captions=(Caption("a red cat", "en"), Caption("a red cat", "en")), label="dog"),
    Sample("c", captions=(Caption("a blue dog", "en"),), label="cat"),
    Sample("d", questions=(Question("what?", "cat", "kind", "en"), Question("what?", "cat", "kind", "en"))),
    SampleError("e", "nothing is said about the picture"),
]


@pytest.fixture
def tokenizer() -> Tokenizer:
    texts = ["a red cat", "a blue dog", "一只红猫", "what?", "cat"] * 3
    return Tokenizer.train(texts, TokenizerConfig(vocab_size=300, max_length=6))


def test_everything_is_counted(tokenizer: Tokenizer) -> None:
    found = describe(SAMPLES, tokenizer)
    assert found.looked_at == 5
    assert [(fault.key, fault.reason) for fault in found.unusable] == [("e", "nothing is said about the picture")]
    assert (found.captions, found.questions) == (5, 2)
    assert found.labels == {"cat": 2, "dog": 1}
    assert found.unlabelled == 1
    assert found.answers == {"cat": 2}
    assert found.kinds == {"kind": 2}


def test_a_caption_is_shared_by_pictures_and_not_by_its_own_repetition(tokenizer: Tokenizer) -> None:
    found = describe(SAMPLES, tokenizer)
    assert found.repeated == {"a red cat": 2}
    assert found.sharing == 2
    assert describe(SAMPLES[1:2], tokenizer).repeated == {}


def test_languages_with_their_lengths(tokenizer: Tokenizer) -> None:
    found = describe(SAMPLES, tokenizer).languages
    assert list(found) == ["en", "zh"], "the commoner first"
    english = ["a red cat"] * 3 + ["a blue dog"] + ["what?", "cat"] * 2
    assert (found["en"].texts, found["en"].characters) == (8, sum(map(len, english)))
    lengths = [len(tokenizer.encode(text)) for text in english]
    assert found["en"].longest == max(lengths)
    assert found["en"].tokens_per_character == round(sum(lengths) / sum(map(len, english)), 3)
    assert (found["zh"].texts, found["zh"].characters) == (1, 4)


def test_texts_that_are_cut(tokenizer: Tokenizer) -> None:
    long = "猫" * 90
    found = describe([*SAMPLES, Sample("f", captions=(Caption(long, "zh"),))], tokenizer)
    (fault,) = [fault for fault in found.over_long if fault.key == "f"]
    tokens = len(tokenizer.encode(long))
    assert fault.reason == f"{tokens} tokens, of which 4 are read: {'猫' * 59}…"
    read = tokenizer.read(long)
    assert len(read) == 6, "which is what the model would get"
    fitting = [text for text in ("a red cat", "what?") if len(tokenizer.encode(text)) <= 4]
    assert not [fault for fault in found.over_long for text in fitting if fault.reason.endswith(text)]


def test_nothing_is_lost_in_the_tokenizer(tokenizer: Tokenizer) -> None:
    odd = ["龘龘 🙂 ع", "cafe\u0301", "<eos> is text", "𠮷野家"]
    assert describe([Sample("f", captions=tuple(Caption(text) for text in odd))], tokenizer).unknown == ()


def test_without_a_tokenizer_nothing_is_said_of_tokens() -> None:
    found = describe(SAMPLES, None)
    assert found.over_long == found.unknown == ()
    assert found.languages["en"].longest == 0
    assert found.captions == 5
