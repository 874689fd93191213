"""Chance that is the same on every machine and in every run."""

from __future__ import annotations

from hashlib import blake2b


def share_of(text: str) -> float:
    """A number in [0, 1) that belongs to the text."""
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=6).digest(), "big") / 2**48
