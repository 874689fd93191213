"""What is drawn depends on the seed alone, not on the process: sets of words are ordered otherwise in each."""

import os
import subprocess
import sys

import pytest

DRAW = """
import hashlib, sys
from tuwen.core.rooms import build_part

source = build_part("data", {"kind": sys.argv[1]})["train"]
found = hashlib.sha256()
for number in range(60):
    sample = source[number]
    found.update(b"" if sample.image is None else sample.image.tobytes())
    found.update(repr((sample.captions, sample.questions, sample.label, sample.tags, sample.choices)).encode())
print(found.hexdigest())
"""


@pytest.mark.parametrize("kind", ["boxes", "scenes", "stories", "word_games"])
def test_another_process_draws_the_same(kind: str) -> None:
    found = [
        subprocess.run(
            [sys.executable, "-c", DRAW, kind],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert found[0] == found[1] == found[2]
