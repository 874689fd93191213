"""What a user means by `--data`: a folder, tars, a data set of the hub, or a part of this room."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuwen.core.errors import DataError
from tuwen.core.rooms import find_part, names
from tuwen.data._columns import TableConfig

_TAR = re.compile(r"\.(tar|tgz|tar\.\w+)$", re.IGNORECASE)
_TABLE = re.compile(r"\.(csv|tsv|jsonl|ndjson|json|parquet|txt)$", re.IGNORECASE)


def spec_of(data: Sequence[str], captions: str | None = None, kind: str | None = None) -> dict[str, Any]:
    """The data part that words on the command line mean, as a recipe would spell it (`{"kind": "folder", ...}`).

    Args:
        data: a folder of pictures, a table of captions, tars (paths, globs, addresses), a data set that `save_to_disk`
            wrote, one on the hub (`owner/name`), or a part that needs no settings (`scenes`). Several tars are one data
            set; several of anything else are mixed.
        captions: the table that speaks of the folder.
        kind: the part that the recipe reads from. One with a function `spec` says itself what words mean to it.

    Raises:
        DataError: a word means nothing that is there.
    """
    own = getattr(find_part("data", kind), "spec", None) if kind is not None and captions is None else None
    if own is not None:
        return dict(own(list(data)))
    tars = [word for word in data if _is_tars(word)]
    others = [word for word in data if word not in tars]
    specs = [_spec(word) for word in others] + ([{"kind": "shards", "train": tars}] if tars else [])
    if captions is not None:
        folders = [spec for spec in specs if spec["kind"] == "folder"]
        if len(folders) != 1 or "captions" in folders[0]:
            raise DataError(f"--captions {captions}: it needs one folder of pictures to speak of; give that as --data.")
        folders[0]["captions"] = captions
    if not specs:
        raise DataError("--data: say where the pictures are: a folder, tars, or a data set of the hub (owner/name).")
    if len(specs) == 1:
        return specs[0]
    return {"kind": "mixture", "parts": dict(zip(_titles([*others, *tars[:1]]), specs, strict=True))}


def whole(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The same data, with nothing held out of what has no splits, where nobody says how much."""
    if "parts" in spec:
        return {**spec, "parts": {name: whole(part) for name, part in spec["parts"].items()}}
    tables = issubclass(find_part("data", spec["kind"]).Config, TableConfig)
    return {**spec, "validation": 0.0} if tables and spec.get("validation") is None else dict(spec)


def _is_tars(word: str) -> bool:
    if _TAR.search(word):
        return True
    folder = Path(word).expanduser()
    if not folder.is_dir():
        return False
    files = [file for file in folder.iterdir() if file.is_file()]
    return bool(files) and all(_TAR.search(file.name) or file.name.startswith((".", "_")) for file in files)


def _spec(word: str) -> dict[str, Any]:
    path = Path(word).expanduser()
    if path.is_dir():
        saved = any((path / name).is_file() for name in ("dataset_dict.json", "state.json"))
        return {"kind": "hub", "name": word} if saved else {"kind": "folder", "path": word}
    if path.is_file() and _TABLE.search(word):
        return {"kind": "folder", "path": str(path.parent), "captions": word}
    if word in names("data"):
        return {"kind": word}
    if re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", word) and not path.parent.exists():
        return {"kind": "hub", "name": word}
    if path.is_file():
        raise DataError(
            f"--data {word}: a file, and neither a table (CSV, TSV, JSON, JSON Lines, Parquet) nor a tar; give the "
            "folder that the pictures are in, and save a spreadsheet as CSV."
        )
    raise DataError(
        f"--data {word}: no such folder or file, and not the name of a data set on the hub (owner/name), or of one "
        f"that is built in ({', '.join(names('data'))})."
    )


def _titles(words: Sequence[str]) -> list[str]:
    """A short name for each, no two the same: `shards` for `shards/{000..127}.tar`, `train` for `a/train-*.tar`."""
    titles: list[str] = []
    for word in words:
        steps = [re.sub(r"[\W_]*[*?{\[].*", "", step).split(".")[0] for step in re.split(r"[/\\]+", word)]
        title = next((step for step in reversed(steps) if step), "data")
        titles.append(title if title not in titles else f"{title}{len(titles) + 1}")
    return titles
