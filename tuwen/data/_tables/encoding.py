"""Which encoding a text file is in."""

from __future__ import annotations

import codecs
from pathlib import Path

from tuwen.core.errors import DataError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 1 << 20


def find_encoding(file: Path, given: str | None = None) -> tuple[str, str | None]:
    """The encoding of a text file, and a sentence for the user where it is not UTF-8.

    By its byte-order mark; else UTF-8 if all of it is; else UTF-16 if it has zero bytes; else GB18030 (with GBK and
    GB2312 inside it) if all of it is. In a file of a few characters, GB18030 may pass for UTF-8.

    Raises:
        DataError: the file is in none of these, or not in the one given.
    """
    if given is not None:
        if not _decodes(file, known_encoding(given)):
            raise DataError(f"{file}: not {given}, as `encoding` says; leave it out to have the encoding found.")
        return given, None
    with file.open("rb") as opened:
        start = opened.read(4096)
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name, None
    zeros = (start[0::2].count(0), start[1::2].count(0))
    if max(zeros) <= len(start) / 8 and _decodes(file, "utf-8"):  # UTF-16 with many Latin letters is valid UTF-8, too
        return "utf-8", None
    if any(zeros):
        name = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        return _checked(file, name), f"{file.name} is read as {name.upper()}, because it has zero bytes."
    return _checked(file, "gb18030"), f"{file.name} is not UTF-8 and is read as GB18030 (GBK); else set `encoding`."


def known_encoding(name: str) -> str:
    """The name of an encoding as Python writes it.

    Raises:
        DataError: there is none of this name.
    """
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise DataError(
            f"encoding: no encoding is called {name!r}; for example utf-8, utf-16, gb18030, cp1252."
        ) from None


def _checked(file: Path, encoding: str) -> str:
    if not _decodes(file, encoding):
        raise DataError(
            f"{file}: its text is neither UTF-8, UTF-16 nor GB18030; save it as UTF-8, or set `encoding` (cp1252 for a "
            "file of an older Western Excel)."
        )
    return encoding


def _decodes(file: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with file.open("rb") as opened:
        try:
            while chunk := opened.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True
