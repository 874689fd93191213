"""What is imported is declared, what is declared is used, and all of it is pinned."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
THROUGH_OTHERS = {"tensorboard"}
"""Used by name nowhere: torch.utils.tensorboard needs it."""


def plain(name: str) -> str:
    """A distribution's name without version or extras, as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[ \[<>=!~;]", name)[0]).lower()


def declared() -> set[str]:
    return {plain(line) for line in PROJECT["dependencies"]}


def optional() -> set[str]:
    return {plain(line) for lines in PROJECT["optional-dependencies"].values() for line in lines} - {"tuwen"}


def imported() -> set[str]:
    """The distributions that a file in `tuwen/` imports, at its top or later."""
    modules: set[str] = set()
    for file in (ROOT / "tuwen").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
    known = packages_distributions()
    others = modules - sys.stdlib_module_names - {"tuwen"}
    return {plain(known[module][0]) if module in known else plain(module) for module in others}


def test_every_library_that_is_imported_is_declared() -> None:
    assert imported() <= declared() | optional()


def test_every_library_that_is_declared_is_used() -> None:
    assert declared() - THROUGH_OTHERS <= imported()


def test_every_library_that_is_declared_is_pinned_and_has_its_reason() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {plain(line) for line in lines if re.fullmatch(r"[\w.-]+==[\w.]+", line)}
    assert declared() | optional() <= pins
    reasons = {plain(word) for word in re.findall(r"[\w-]+", (ROOT / "docs" / "dependencies.md").read_text("utf-8"))}
    assert declared() | optional() <= reasons


def test_torchvision_is_never_imported() -> None:
    assert "torchvision" not in imported()


def test_continuous_integration_runs_what_a_person_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "make test" in script.read_text(encoding="utf-8")
