"""What all tests share."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

# Tests fork processes that train, and OpenMP's threads do not survive a fork. Set before anything imports PyTorch.
os.environ.setdefault("OMP_NUM_THREADS", "1")


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


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of the quickstart, after two steps: everything is there, nothing was learned."""
    from tuwen.recipe.run import pretrain
    from tuwen.recipe.schema import load_recipe

    small = ("data.kind=scenes", "data.train_scenes=60", "data.test_scenes=8", "evaluate.samples=6")
    short = ("train.minutes=null", "train.steps=2", "train.batch_size=4", "train.precision=fp32")
    run = tmp_path_factory.mktemp("runs") / "tiny"
    pretrain(load_recipe(sets=[*small, *short, "tokenizer.sample=200", "tasks.caption.max_tokens=8"]), run)
    return run


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, also where the tests were started in a shell's background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
