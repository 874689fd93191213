"""Characters as tokens."""

from pathlib import Path

import pytest

from tuwen.core.errors import DataError
from tuwen.prep.tokens import SPECIAL, Tokenizer, TokenizerConfig

TEXT = "To be,\nor not to be? 床前明月光，疑是地上霜。"


def characters(*texts: str, **settings: object) -> Tokenizer:
    return Tokenizer.train(texts, TokenizerConfig(unit="character", **settings))  # type: ignore[arg-type]


def test_each_character_is_a_token() -> None:
    tokenizer = characters(TEXT)
    ids = tokenizer.encode(TEXT)
    assert len(ids) == len(TEXT)
    assert len(tokenizer) == len(SPECIAL) + 256 + len(set(TEXT))
    assert [tokenizer.spell([number]) for number in ids] == list(TEXT)
    assert tokenizer.spell(ids) == TEXT


@pytest.mark.parametrize("text", ["naïve 🦜", "\n\n ", "<eos>", "登鸛雀樓"])
def test_new_characters_are_spelled_in_bytes(text: str) -> None:
    tokenizer = characters(TEXT)
    ids = tokenizer.encode(text)
    assert min(ids) >= len(SPECIAL)
    assert tokenizer.spell(ids) == text
    assert tokenizer.decode([tokenizer.bos, *ids, tokenizer.eos]) == text.strip()


def test_rare_characters_have_no_token_where_there_is_no_room() -> None:
    tokenizer = characters("aaa" + "".join(chr(0x4E00 + number) for number in range(100)), vocab_size=300)
    assert len(tokenizer) == 300
    assert len(tokenizer.encode("a")) == 1
    assert len(tokenizer.encode(chr(0x4E00 + 99))) == 3


def test_case_is_dropped_where_asked() -> None:
    tokenizer = characters("to be", lowercase=True)
    assert tokenizer.spell(tokenizer.encode("TO BE")) == "to be"


def test_it_is_the_same_when_read_again(tmp_path: Path) -> None:
    tokenizer = characters(TEXT)
    tokenizer.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json", 64)
    assert again.encode(TEXT + "🦜") == tokenizer.encode(TEXT + "🦜")
    assert again.spell(again.encode(TEXT)) == TEXT


@pytest.mark.parametrize("settings", [{"unit": "character"}, {"unit": "subword", "vocab_size": 300}])
def test_where_in_the_text_each_token_stands(settings: dict[str, object]) -> None:
    tokenizer = Tokenizer.train([TEXT], TokenizerConfig(**settings, max_length=24))  # type: ignore[arg-type]
    text = "or 光, not"
    ids, places = tokenizer.locate(text)
    assert ids == tokenizer.read(text)
    assert len(places) == len(ids)
    assert places[0] == places[-1] == (0, 0)
    for (start, stop), number in zip(places[1:-1], ids[1:-1], strict=True):
        assert 0 <= start < stop <= len(text)
        said = tokenizer.spell([number]).strip()
        assert said in text[start:stop] or "\N{REPLACEMENT CHARACTER}" in said
    assert {character for start, stop in places for character in range(start, stop)} >= {0, 1, 3, 4, 6, 7, 8}
    ids, places = tokenizer.locate(TEXT * 9)
    assert ids == tokenizer.read(TEXT * 9)
    assert len(places) == len(ids) == 24


def test_there_must_be_a_text() -> None:
    with pytest.raises(DataError, match="no text to learn from"):
        characters(" \n")
