"""Texts to token ids and back: a byte-level BPE trained on the data, so that no script has an unknown character."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from tuwen.core.errors import CheckpointError, DataError
from tuwen.core.rooms import PartConfig

PAD, BOS, EOS, SEP, MASK = "<pad>", "<bos>", "<eos>", "<sep>", "<mask>"
SPECIAL = (PAD, BOS, EOS, SEP, MASK)
WITHOUT_SPACES = "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
"""Characters of scripts that write no spaces between words: Han and kana."""
CACHED = 2**16
"""Texts whose ids are remembered: prompts, questions and labels come again and again."""


class TokenizerConfig(PartConfig):
    """How the tokenizer is made. It is trained on the run's own training texts.

    vocab_size: entries at most, the 256 bytes and the special tokens included.
    max_length: tokens of one text at most, special tokens included; what is over is cut, and counted by `data check`.
    sample: texts that the tokenizer is trained on at most.
    lowercase: whether case is dropped.
    split_chinese: whether no token spans two Chinese characters (or kana). Chinese has no spaces, so on little data
        whole sentences become tokens else, and a text of known words in a new order is unknown.
    """

    vocab_size: int = Field(default=8192, ge=300)
    max_length: int = Field(default=64, ge=4)
    sample: int = Field(default=200_000, ge=1)
    lowercase: bool = False
    split_chinese: bool = False


class Tokenizer:
    """A byte-level BPE with the special tokens `<pad> <bos> <eos> <sep> <mask>` (ids 0 to 4)."""

    pad, bos, eos, sep, mask = range(len(SPECIAL))

    def __init__(self, backend: object, max_length: int) -> None:
        from tokenizers import Tokenizer as Backend

        assert isinstance(backend, Backend)
        self.backend = backend
        self.backend.encode_special_tokens = True  # "<eos>" in a user's text is text
        self.max_length = max_length
        self._ids = lru_cache(maxsize=CACHED)(self._encode)

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
        """Learn the merges from texts; the same texts give the same tokenizer.

        Raises:
            DataError: there is no text.
        """
        from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
        from tokenizers import Tokenizer as Backend

        backend = Backend(models.BPE())
        case = [normalizers.Lowercase()] if config.lowercase else []
        backend.normalizer = normalizers.Sequence([normalizers.NFC(), *case, normalizers.Prepend(" ")])
        split = [pre_tokenizers.Split(Regex(WITHOUT_SPACES), "isolated")] if config.split_chinese else []
        backend.pre_tokenizer = pre_tokenizers.Sequence([*split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=config.vocab_size,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        seen = list(texts)
        if not any(text.strip() for text in seen):
            raise DataError("the tokenizer has no text to learn from: check the caption column, or name a tokenizer.")
        backend.train_from_iterator(seen, trainer)
        return cls(backend, config.max_length)

    @classmethod
    def load(cls, file: Path, max_length: int) -> Tokenizer:
        """Read a `tokenizer.json` that `save` wrote.

        Raises:
            CheckpointError: the file is missing or is not a tokenizer.
        """
        from tokenizers import Tokenizer as Backend

        if not file.is_file():
            raise CheckpointError(f"{file}: the tokenizer is missing; a model cannot be used without its own.")
        try:
            return cls(Backend.from_file(str(file)), max_length)
        except Exception as error:  # the library raises a bare Exception
            raise CheckpointError(f"{file}: not a tokenizer file ({error}).") from error

    def save(self, file: Path) -> None:
        """Write the whole tokenizer as one JSON file."""
        self.backend.save(str(file))

    def __len__(self) -> int:
        return int(self.backend.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens, not cut."""
        return list(self._ids(text))

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self.backend.encode(text, add_special_tokens=False).ids)

    def normalise(self, text: str) -> str:
        """The text as the tokenizer reads it: what `decode` gives back for its ids."""
        normaliser = self.backend.normalizer
        return (text if normaliser is None else str(normaliser.normalize_str(text))).strip()

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, without special tokens."""
        return str(self.backend.decode(list(ids), skip_special_tokens=True)).strip()

    def read(self, text: str) -> list[int]:
        """`<bos> text <eos>`, cut to `max_length`: how a text tower reads a text."""
        return [self.bos, *self.encode(text)[: self.max_length - 2], self.eos]

    def prompt(self, text: str) -> list[int]:
        """`<bos> text <sep>`: how a language model is asked; the answer follows."""
        return [self.bos, *self.encode(text)[: self.max_length - 2], self.sep]

    def answer(self, text: str) -> list[int]:
        """`text <eos>`: what a language model is to say after a prompt."""
        return [*self.encode(text)[: self.max_length - 1], self.eos]
