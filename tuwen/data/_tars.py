"""WebDataset tars: which there are, and what is in them, read as a stream."""

from __future__ import annotations

import glob
import lzma
import re
import tarfile
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import IO, cast

from tuwen.core.errors import DataError, SampleError

_LARGEST = 1 << 30
_TIMEOUT = 60
_FAILURES = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, HTTPException, ValueError)

Group = dict[str, bytes]
"""The files of one sample, by what follows the first dot of their names."""


def expand(patterns: Sequence[str]) -> list[str]:
    """The tars that patterns name: paths, globs, folders and addresses, with `{000..127}` and `{a,b}` spelled out.

    Raises:
        DataError: a pattern names none, or an address that cannot be read.
    """
    found: list[str] = []
    for pattern in patterns:
        for name in _spelled_out(pattern):
            if "://" in name and not name.startswith(("http://", "https://")):
                raise DataError(f"{name}: tars are read from disk, http:// and https://; copy or mount it.")
            found += [name] if "://" in name else _local(name)
    return list(dict.fromkeys(found))


def _local(name: str) -> list[str]:
    path = Path(name).expanduser()
    if path.is_dir():
        matches = sorted(str(file) for file in path.iterdir() if re.search(r"\.(tar|tgz|tar\.\w+)$", file.name))
    else:
        matches = [str(path)] if path.is_file() else sorted(glob.glob(str(path), recursive=True))
    if not matches:
        raise DataError(
            f"{name}: no such tar; a folder of tars, a path or a pattern (data-*.tar, data-{{000..127}}.tar)."
        )
    return matches


def _spelled_out(pattern: str) -> Iterator[str]:
    """`a{0..2}b{x,y}` as its six names."""
    braces = re.search(r"\{([^{}]*)\}", pattern)
    if braces is None:
        yield pattern
        return
    span = re.fullmatch(r"(\d+)\.\.(\d+)", braces[1])
    if span:
        width = len(span[1]) if span[1].startswith("0") else 0
        choices = [f"{number:0{width}}" for number in range(int(span[1]), int(span[2]) + 1)]
    else:
        choices = braces[1].split(",")
    for choice in choices:
        yield from _spelled_out(pattern[: braces.start()] + choice + pattern[braces.end() :])


def read_groups(tar: str, wanted: frozenset[str]) -> Iterator[tuple[str, Group] | SampleError]:
    """The samples of a tar in order: the key of each and its files. What is broken comes as an error in its place.

    Args:
        tar: a path or an address.
        wanted: the last endings of the files to read (`jpg`, `txt`).
    """
    key: str | None = None
    group: Group = {}
    doubled = False
    try:
        with _open(tar) as opened, tarfile.open(fileobj=opened, mode="r|*", tarinfo=_StrictTarInfo) as archive:
            for name, field, size, file in _members(archive):
                if name != key:
                    if key is not None and group:
                        yield _finished(tar, key, group, doubled)
                    key, group, doubled = name, {}, False
                if field.rsplit(".", 1)[-1] not in wanted:
                    continue
                if size > _LARGEST:
                    yield SampleError(f"{tar}: {name}.{field}", f"too large: {size / 1e9:.1f} GB")
                    continue
                doubled |= field in group
                group[field] = file.read()
            if key is not None and group:
                yield _finished(tar, key, group, doubled)
    except _FAILURES as error:
        after = f"after {key}" if key is not None else "at its start"
        yield SampleError(tar, f"the tar is cut short or broken {after}: {str(error) or type(error).__name__}")


def _finished(tar: str, key: str, group: Group, doubled: bool) -> tuple[str, Group] | SampleError:
    return SampleError(f"{tar}: {key}", "it has two files of the same kind") if doubled else (key, group)


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, str, int, IO[bytes]]]:
    """Key, field, size and content of each file that belongs to a sample."""
    while (info := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]  # or a large tar would fill the memory with the names of what was read
        parts = re.fullmatch(r"((?:.*/)?[^./][^./]*)\.([^/]+)", info.name)
        if not info.isfile() or parts is None or "__MACOSX" in info.name:
            continue
        file = archive.extractfile(info)
        if file is not None:
            yield parts[1], parts[2].lower(), info.size, file


class _StrictTarInfo(tarfile.TarInfo):
    """Takes a broken or missing header for what it is.

    The library takes it for the end of the tar, and the rest would be lost without a word.
    """

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _StrictTarInfo:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


def _open(tar: str) -> IO[bytes]:
    if "://" not in tar:
        return open(tar, "rb")
    request = urllib.request.Request(tar, headers={"User-Agent": "tuwen"})
    return cast(IO[bytes], urllib.request.urlopen(request, timeout=_TIMEOUT))
