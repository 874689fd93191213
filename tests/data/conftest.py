"""Folders of pictures and texts, as users have them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tuwen.core.rooms import build_part
from tuwen.data import DataContext, NotedSplits

MakePictures = Callable[..., Path]


@pytest.fixture
def pictures(tmp_path: Path) -> MakePictures:
    """`pictures("a.jpg", "dogs/b.png")` writes small pictures into a folder and returns it."""

    def make(*names: str, folder: str = "photos") -> Path:
        for number, name in enumerate(names):
            file = tmp_path / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 6), (number % 256, 10, 20)).save(file)
        return tmp_path / folder

    return make


@pytest.fixture
def build() -> Callable[..., NotedSplits]:
    """`build("folder", path=...)`: a data part as a recipe builds it."""

    def make(kind: str, context: DataContext | None = None, **settings: Any) -> NotedSplits:
        spec: Mapping[str, Any] = {"kind": kind, **settings}
        splits = build_part("data", spec, context or DataContext())
        assert isinstance(splits, NotedSplits)
        return splits

    return make
