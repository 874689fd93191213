"""The pages on adding a part are true: each example is taken out of its page, put where the page says, and used."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import pages
from tuwen import cli
from tuwen.cli.app import main
from tuwen.recipe.run import pretrain
from tuwen.recipe.schema import load_recipe
from tuwen.train.listeners import LogFile

PAGES = pages.ROOT / "docs" / "adding"
TINY = (
    "train.minutes=null",
    "train.steps=2",
    "train.batch_size=4",
    "train.precision=fp32",
    "tokenizer.sample=200",
    "tasks.caption.max_tokens=8",
    "evaluate.samples=6",
)
FEW_SCENES = ("data.kind=scenes", "data.train_scenes=60", "data.test_scenes=8")


def files(page: str) -> dict[Path, str]:
    """The files that a page tells to write: their first line is their path in a checkout."""
    found = {}
    for code in pages.blocks(PAGES / page, "python"):
        first, _, rest = code.partition("\n")
        found[Path(first.removeprefix("# "))] = rest
    return found


PARTS = sorted(page.name for page in PAGES.glob("*.md") if pages.blocks(page, "yaml"))
OTHERS = ["command.md", "metric.md"]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose `tuwen/...` folders belong to the rooms of the same names, as if the files were in them."""
    before = set(sys.modules)
    for room in {path.parent for page in [*PARTS, *OTHERS] for path in files(page) if path.parts[0] == "tuwen"}:
        package = importlib.import_module(".".join(room.parts))
        before.add(package.__name__)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / room)])
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            package_name, _, part = name.rpartition(".")
            delattr(sys.modules[package_name], part)
            del sys.modules[name]


def write(page: str, folder: Path) -> list[Path]:
    """Write the files of a page into a folder that stands for a checkout."""
    for path, code in files(page).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(code, encoding="utf-8")
    return [folder / path for path in files(page)]


def recipe_of(page: str, folder: Path) -> Path:
    """The recipe of a page, as a file."""
    (text,) = pages.blocks(PAGES / page, "yaml")
    file = folder / "recipe.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_there_is_a_page_for_every_room() -> None:
    assert len(PARTS) + len(OTHERS) == 10
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    assert all(f"]({page})" in index for page in [*PARTS, *OTHERS])


@pytest.mark.parametrize("page", [*PARTS, *OTHERS])
def test_what_is_added_is_not_there_yet(page: str) -> None:
    assert not [path for path in files(page) if (pages.ROOT / path).exists()]


@pytest.mark.parametrize("page", PARTS)
def test_the_example_trains_and_is_evaluated(page: str, checkout: Path) -> None:
    (written,) = write(page, checkout)
    data = ("data.samples=60",) if page == "data-source.md" else FEW_SCENES
    resolved = load_recipe(recipe_of(page, checkout), sets=[*TINY, *data])
    assert f"kind: {written.stem}" in resolved.to_yaml()
    log = checkout / "run" / "log.jsonl"
    finished = pretrain(resolved, log.parent, listeners=[LogFile(log)])
    assert finished.result.step == 2
    assert finished.metrics["tasks"]["retrieve"]["candidates"] >= 2
    assert finished.report is not None
    if page == "task.md":
        assert 0 <= finished.metrics["tasks"][written.stem]["accuracy"] <= 1
    if page == "objective.md":
        assert f'"{written.stem}"' in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PARTS)
def test_an_installed_package_can_bring_the_part(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ((path, code),) = files(page).items()
    room, module = ".".join(path.parent.parts), f"my_package_of_{path.stem}"
    (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    info = tmp_path / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{room}]\n{path.stem} = {module}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    resolved = load_recipe(recipe_of(page, tmp_path))
    assert f"kind: {path.stem}" in resolved.to_yaml()
    assert sys.modules[module].build


def test_the_metric_passes_its_own_test(checkout: Path) -> None:
    _, test = write("metric.md", checkout)
    namespace: dict[str, object] = {}
    exec(compile(test.read_text(encoding="utf-8"), test, "exec"), namespace)
    ran = [function() for name, function in namespace.items() if name.startswith("test_") and callable(function)]
    assert len(ran) == 2


def test_the_command_is_a_command(checkout: Path, tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("command.md", checkout)
    with pytest.raises(SystemExit) as stopped:
        main(["weights", str(tiny_run)])
    assert stopped.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"image_tower", "text_tower", "language", "fusion"} <= {line.split()[1] for line in lines}
    assert "weights" not in [path.stem for path in Path(cli.__file__).parent.glob("*.py")]


@pytest.mark.parametrize("page", [*PARTS, *OTHERS])
def test_the_example_is_written_as_the_project_is(page: str, tmp_path: Path) -> None:
    settings = ["--config", str(pages.ROOT / "pyproject.toml"), "--config", 'lint.isort.known-first-party=["tuwen"]']
    for file in write(page, tmp_path):
        for arguments in (["check"], ["format", "--check"]):
            command = [sys.executable, "-m", "ruff", *arguments, *settings, str(file)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
