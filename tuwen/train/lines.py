"""Files of JSON lines in the run folder, which survive a killed process and continue after a resumption."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuwen.prep.filling import Skipped


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The whole lines of a file; a last one that a killed process left unfinished is not one of them."""
    if not file.exists():
        return []
    *whole, _ = file.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in whole]


def add_lines(file: Path, entries: list[Mapping[str, Any]]) -> None:
    """Append entries, in one write."""
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(text)


def rewind(file: Path, step: int) -> None:
    """Drop what was written after a step, because the steps after it are done again."""
    kept = [entry for entry in read_lines(file) if entry["step"] <= step]
    unfinished = file.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    add_lines(unfinished, kept)  # type: ignore[arg-type]
    unfinished.replace(file)  # at once: a process killed here loses no line


class SkippedList:
    """`skipped.jsonl`: each sample that cannot be used once, with the step at which it was met, and the reason."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.known = self._listed()

    def __len__(self) -> int:
        return len(self.known)

    def add(self, step: int, skipped: Skipped) -> None:
        """List those that are new."""
        if all(key in self.known for key, _ in skipped):
            return
        self.known |= self._listed()  # other processes of this training list theirs in the same file
        fresh = {key: reason for key, reason in skipped if key not in self.known}
        if fresh:
            self.known |= fresh.keys()
            add_lines(self.file, [{"step": step, "key": key, "reason": reason} for key, reason in fresh.items()])

    def _listed(self) -> set[str]:
        return {entry["key"] for entry in read_lines(self.file)}
