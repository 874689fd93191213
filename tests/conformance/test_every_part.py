"""Every file in a room is a part: it says what it is, where it comes from, and what each of its settings means."""

import inspect
import re

import pytest

from tests.conformance.checks import settings
from tuwen.core.rooms import PartConfig, find_part, names

SOURCED = ["towers.image", "towers.text", "fusion", "language", "objectives", "train.optimizers"]
"""Rooms whose parts come from somewhere."""

PARTS = [(room, kind) for room in [*SOURCED, "tasks", "data"] for kind in names(room)]

SOURCE = re.compile(r"\b(19|20)\d\d\b")
"""A year: `(He et al. 2016, arXiv:1603.05027)`."""


@pytest.mark.parametrize(("room", "kind"), PARTS)
def test_a_part_has_a_docstring_and_settings_that_are_explained(room: str, kind: str) -> None:
    module = find_part(room, kind)
    assert module.__doc__, "the file says nothing of itself"
    if room in SOURCED:
        assert SOURCE.search(module.__doc__), "the file does not say where this comes from (authors, year, arXiv)"
    assert callable(module.build)
    assert issubclass(module.Config, PartConfig)
    assert module.Config.model_config["frozen"]
    assert module.Config.model_config["extra"] == "forbid"
    words = " ".join(inspect.cleandoc(parent.__doc__ or "") for parent in module.Config.__mro__[:-1])
    unexplained = [name for name in module.Config.model_fields if not re.search(rf"\b{name}\b", words)]
    assert not unexplained, f"Config's docstring does not speak of {unexplained}"


@pytest.mark.parametrize(("room", "kind"), [part for part in PARTS if part[0] != "data"])
def test_a_part_can_be_tried_with_its_defaults(room: str, kind: str) -> None:
    given = settings(room, kind)
    config = find_part(room, kind).Config(**{name: value for name, value in given.items() if name != "kind"})
    assert type(config).model_validate(config.model_dump(mode="json")) == config
