"""What all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that the project's developers have beside their checkout, and a user's clone has not."""
    folder = Path(os.environ.get("TUWEN_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the developers' real data in {folder} (or where TUWEN_SHARED_DATA says)")
    return folder


@pytest.fixture(scope="session")
def bccd(shared_data: Path) -> Path:
    """Blood-cell photographs, 640 x 480 JPEGs."""
    return shared_data / "bccd"


@pytest.fixture(scope="session")
def emoji(shared_data: Path) -> Path:
    """2,133 transparent PNGs with names in ten languages in `emoji.jsonl`."""
    return shared_data / "emoji"
