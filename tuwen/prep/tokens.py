"""Texts to token ids and back: a byte-level BPE or single characters, learned from the data; none is ever unknown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field

from tuwen.core.errors import CheckpointError, DataError
from tuwen.core.rooms import PartConfig

T = TypeVar("T")

PAD, BOS, EOS, SEP, MASK = "<pad>", "<bos>", "<eos>", "<sep>", "<mask>"
SPECIAL = (PAD, BOS, EOS, SEP, MASK)
WITHOUT_SPACES = "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
"""Characters of scripts that write no spaces between words: Han and kana."""
BYTES = tuple(f"<0x{number:02X}>" for number in range(256))
"""The tokens that a character is spelled with that has no token of its own."""
MARKS = "special_tokens.json"
"""The file of the special tokens, where they are others than `SPECIAL`."""
CACHED = 2**16
"""Texts whose ids are remembered: prompts, questions and labels come again and again."""


class TokenizerConfig(PartConfig):
    """How the tokenizer is made. It is trained on the run's own training texts, unless a pretrained one is named.

    name: a checkpoint whose tokenizer is used as it is, a folder or a name on the hub, and revision, of the hub's
        repository. A pretrained text tower or language model brings its own.
    unit: what a token is: a frequent piece of text (`subword`), or one `character`, white space and line ends included;
        a character that is rare or new is then spelled in bytes.
    vocab_size: entries at most, the 256 bytes and the special tokens included.
    max_length: tokens of one text at most, special tokens included; what is over is cut, and counted by `data check`.
    sample: texts that the tokenizer is trained on at most.
    lowercase: whether case is dropped.
    split_chinese: whether no token spans two Chinese characters (or kana). Chinese has no spaces, so on little data
        whole sentences become tokens else, and a text of known words in a new order is unknown.
    """

    name: str | None = None
    revision: str | None = None
    unit: Literal["subword", "character"] = "subword"
    vocab_size: int = Field(default=8192, ge=300)
    max_length: int = Field(default=64, ge=4)
    sample: int = Field(default=200_000, ge=1)
    lowercase: bool = False
    split_chinese: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """The ids of tokens that are no part of a text.

    pad: fills rows up. eos: ends what a language model says. mask: stands for a hidden token; None where there is none.
    before, behind: stand around a text that is read. between: what ends a prompt, before the answer.
    special: all special ids.
    """

    pad: int
    eos: int
    mask: int | None
    before: tuple[int, ...]
    between: tuple[int, ...]
    behind: tuple[int, ...]
    special: tuple[int, ...]


OWN = Marks(pad=0, eos=2, mask=4, before=(1,), between=(3,), behind=(2,), special=(0, 1, 2, 3, 4))
"""Of a tokenizer that was learned here: `<pad> <bos> <eos> <sep> <mask>`, in this order."""


class Tokenizer:
    """Tokens of a text, and special tokens around it.

    Args:
        backend: a tokenizer of the library `tokenizers`.
        max_length: tokens of one text at most, special tokens included.
        marks: its special tokens.
    """

    def __init__(self, backend: object, max_length: int, marks: Marks = OWN) -> None:
        from tokenizers import Tokenizer as Backend

        assert isinstance(backend, Backend)
        self.backend = backend
        self.backend.encode_special_tokens = True  # "<eos>" in a user's text is text
        self._size = max(self.backend.get_vocab().values()) + 1  # of pretrained ones some numbers may be unused
        self.max_length, self.marks = max_length, marks
        self.pad, self.eos, self.mask = marks.pad, marks.eos, marks.mask
        self.bos = (*marks.before, marks.eos)[0]  # a model without one begins a text where another has ended
        self._ids = lru_cache(maxsize=CACHED)(self._encode)
        self._located = lru_cache(maxsize=CACHED // 8)(self._encode_located)

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
        """Learn the tokens from texts; the same texts give the same tokenizer.

        Raises:
            DataError: there is no text.
        """
        seen = list(texts)
        if not any(text.strip() for text in seen):
            raise DataError("the tokenizer has no text to learn from: check the caption column, or name a tokenizer.")
        learn = _subwords if config.unit == "subword" else _characters
        return cls(learn(seen, config), config.max_length)

    @classmethod
    def load(cls, file: Path, max_length: int) -> Tokenizer:
        """Read a `tokenizer.json` that `save` wrote, and what lies beside it.

        Raises:
            CheckpointError: the file is missing or is not a tokenizer.
        """
        from tokenizers import Tokenizer as Backend

        if not file.is_file():
            raise CheckpointError(f"{file}: the tokenizer is missing; a model cannot be used without its own.")
        marks = file.with_name(MARKS)
        try:
            known = Marks(**_tuples(json.loads(marks.read_text(encoding="utf-8")))) if marks.is_file() else OWN
            return cls(Backend.from_file(str(file)), max_length, known)
        except Exception as error:  # the library raises a bare Exception
            raise CheckpointError(f"{file}: not a tokenizer file ({error}).") from error

    def save(self, file: Path) -> None:
        """Write the whole tokenizer as one JSON file, and its special tokens beside it, unless they are the usual."""
        self.backend.save(str(file))
        if self.marks != OWN:
            file.with_name(MARKS).write_text(json.dumps(asdict(self.marks)) + "\n", encoding="utf-8")

    def __len__(self) -> int:
        return self._size

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens, not cut."""
        return list(self._ids(text))

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self.backend.encode(text, add_special_tokens=False).ids)

    def _encode_located(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        found = self.backend.encode(text, add_special_tokens=False)
        return found.ids, found.offsets

    def piece(self, text: str) -> list[int]:
        """Token ids of words that follow a picture or other words; where words bring their space, none is doubled."""
        normaliser = self.backend.normalizer
        spaced = normaliser is not None and str(normaliser.normalize_str("a")).startswith(" ")
        return self.encode(text.strip() if spaced else text)

    def normalise(self, text: str) -> str:
        """The text as the tokenizer reads it: what `decode` gives back for its ids."""
        if self.marks != OWN:
            return self.decode(self.encode(text))
        normaliser = self.backend.normalizer
        return (text if normaliser is None else str(normaliser.normalize_str(text))).strip()

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, without special tokens and without white space around it."""
        return self.spell(ids).strip()

    def spell(self, ids: Sequence[int]) -> str:
        """The text of token ids as it stands, white space included: what a text goes on with."""
        return str(self.backend.decode(list(ids), skip_special_tokens=True))

    @property
    def room(self) -> int:
        """Tokens of a text's own that `read` keeps, at most."""
        return self.max_length - len(self.marks.before) - len(self.marks.behind)

    def read(self, text: str) -> list[int]:
        """`<bos> text <eos>`, cut to `max_length`: how a text tower reads a text."""
        return self._between(self.marks.before, self.encode(text), self.marks.behind)

    def locate(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """`read(text)`, and for each token the characters `text[start:stop]` that it stands for; (0, 0) for none."""
        before, behind = self.marks.before, self.marks.behind
        ids, places = self._located(text)
        return (
            self._between(before, ids, behind),
            self._between([(0, 0)] * len(before), places, [(0, 0)] * len(behind)),
        )

    def prompt(self, text: str) -> list[int]:
        """`<bos> text <sep>`: how a language model is asked; the answer follows."""
        return self._between(self.marks.before, self.encode(text), self.marks.between)

    def answer(self, text: str) -> list[int]:
        """`text <eos>`: what a language model is to say after a prompt; no end where there is no room for it."""
        ids = self.encode(text)
        return [*ids, self.eos] if len(ids) < self.max_length else ids[: self.max_length]

    def _between(self, before: Sequence[T], text: Sequence[T], behind: Sequence[T]) -> list[T]:
        room = self.max_length - len(before) - len(behind)
        return [*before, *text[:room], *behind]


def _tuples(content: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}


def _subwords(texts: list[str], config: TokenizerConfig) -> Any:
    """A byte-level BPE (Radford et al. 2019, GPT-2, section 2.2)."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.Sequence([*_spelling(config), normalizers.Prepend(" ")])
    split = [pre_tokenizers.Split(Regex(WITHOUT_SPACES), "isolated")] if config.split_chinese else []
    backend.pre_tokenizer = pre_tokenizers.Sequence([*split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def _characters(texts: list[str], config: TokenizerConfig) -> Any:
    """The commonest characters, and bytes for all others: a BPE without merges."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    spelling = normalizers.Sequence(_spelling(config))
    counts = Counter(chain.from_iterable(spelling.normalize_str(text) for text in texts))
    common = sorted(counts, key=lambda character: (-counts[character], character))
    fixed = (*SPECIAL, *BYTES)
    entries = (*fixed, *common[: config.vocab_size - len(fixed)])
    backend = Tokenizer(models.BPE({entry: number for number, entry in enumerate(entries)}, [], byte_fallback=True))
    backend.normalizer = spelling
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    backend.add_special_tokens(list(SPECIAL))
    return backend


def _spelling(config: TokenizerConfig) -> list[Any]:
    from tokenizers import normalizers

    return [normalizers.NFC(), *([normalizers.Lowercase()] if config.lowercase else [])]
