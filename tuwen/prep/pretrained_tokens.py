"""The tokenizer of a checkpoint of Transformers, with the special tokens that its files name."""

from __future__ import annotations

from typing import Any

from tuwen.core.errors import CheckpointError
from tuwen.layers.pretrained import folder_of, opening
from tuwen.prep.tokens import Marks, Tokenizer

UNLIMITED = 2**31
"""Above it, a checkpoint's longest text means that nobody said how long it is."""

PROBE = "a red circle, 一个红色的圆"


def pretrained_tokenizer(name: str, revision: str | None, max_length: int | None = None) -> Tokenizer:
    """A checkpoint's tokenizer, which reads a text exactly as Transformers does.

    Args:
        name: a folder, or a name on the hub.
        revision: of the hub's repository.
        max_length: tokens of a text at most; as many as the checkpoint reads where None, and 64 where it does not say.

    Raises:
        CheckpointError: it has no tokenizer, or one that cannot be used here.
    """
    from transformers import AutoTokenizer

    with opening(name):
        whole = AutoTokenizer.from_pretrained(folder_of(name), revision=revision)
    backend = getattr(whole, "backend_tokenizer", None)
    if backend is None:
        raise CheckpointError(
            f"{name}: its tokenizer has no tokenizer.json; save it once with one (convert it), and name that."
        )
    limit = int(whole.model_max_length) if whole.model_max_length < UNLIMITED else None
    if max_length is not None and limit is not None and max_length > limit:
        raise CheckpointError(
            f"{name}: reads texts of {limit} tokens at most: set tokenizer.max_length to {limit} or lower."
        )
    backend.no_truncation()
    backend.no_padding()
    wanted = list(whole(PROBE)["input_ids"])
    found = Tokenizer(backend, max_length or limit or 64, _marks(whole, backend, name))
    long_enough = Tokenizer(backend, UNLIMITED, found.marks)
    if long_enough.read(PROBE) != wanted:
        raise CheckpointError(f"{name}: its tokenizer puts special tokens into a text in a way that is not known here.")
    return found


def _marks(whole: Any, backend: Any, name: str) -> Marks:
    """Which special tokens there are, and where they stand."""
    probe = backend.encode(PROBE)
    inside = [place for place, special in enumerate(probe.special_tokens_mask) if not special]
    if not inside:
        raise CheckpointError(f"{name}: its tokenizer finds no token in the text {PROBE!r}.")
    before, behind = tuple(probe.ids[: inside[0]]), tuple(probe.ids[inside[-1] + 1 :])
    special = sorted({number for number in whole.all_special_ids if number is not None})
    eos = next((n for n in (whole.eos_token_id, whole.sep_token_id, *behind[-1:]) if n is not None), None)
    if eos is None:
        raise CheckpointError(f"{name}: its tokenizer has no token for the end of a text (eos_token, sep_token).")
    line = tuple(backend.encode("\n", add_special_tokens=False).ids)  # how a prompt ends where no token says it
    return Marks(
        pad=eos if whole.pad_token_id is None else whole.pad_token_id,
        eos=eos,
        mask=whole.mask_token_id,
        before=before,
        between=(whole.sep_token_id,) if whole.sep_token_id is not None else line or (eos,),
        behind=behind,
        special=tuple(special),
    )
