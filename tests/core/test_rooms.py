"""A file's name is a part's name, and a wrong recipe is told in the user's terms."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import PartConfig, PartOf, PartSpec, build_part, find_part, names, nearest, parse_part, validate

THIRD_PARTY = """
from tuwen.core.rooms import PartConfig


class Config(PartConfig):
    depth: int = 3


def build(config, context):
    return ("swin", config.depth, context)
"""


ENTRY_POINTS = """
[tuwen.towers.image]
swin = their_swin
vit = their_swin
lame = their_lame
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that offers the image towers `swin`, and `vit`, which Tuwen has already."""
    (tmp_path / "their_swin.py").write_text(THIRD_PARTY)
    info = tmp_path / "their_towers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-towers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "their_lame.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


class Inner(PartConfig):
    width: int = Field(default=8, ge=1)


class Outer(PartConfig):
    """With parts inside a list, a mapping and an optional setting."""

    inner: Inner = Inner()
    tower: Annotated[PartSpec, PartOf("towers.image")] | None = None
    towers: list[Annotated[PartSpec, PartOf("towers.image")]] = []
    default: Annotated[PartSpec, PartOf("towers.image")] = {"kind": "vit"}
    needed: int


def test_the_files_of_a_room_are_its_parts_and_helpers_are_not() -> None:
    found = names("towers.image")
    assert {"cnn", "vit"} <= set(found)
    assert found == sorted(found)
    assert not [name for name in found if name.startswith("_")]


def test_an_unknown_part_is_answered_with_the_names_and_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"no part 'vitt' in towers.image: .*cnn.*vit.*Did you mean 'vit'\?"):
        find_part("towers.image", "vitt")
    with pytest.raises(RecipeError) as error:
        find_part("towers.image", "resampler")
    assert "Did you mean" not in str(error.value)


@pytest.mark.parametrize("kind", ["os", "../vit", "towers.image.vit", "__init__", "vit.Config", ""])
def test_a_recipe_cannot_name_code_to_run(kind: str) -> None:
    with pytest.raises(RecipeError, match="no part"):
        find_part("towers.image", kind)


@pytest.mark.parametrize("spec", [{}, {"kind": None}, {"kind": 3}, {"depth": 3}])
def test_a_spec_without_kind_is_asked_for_one(spec: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"model.image: say which part with `kind:`; towers.image has .*vit"):
        parse_part("towers.image", spec, "model.image")


def test_a_misspelt_setting_is_named_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"model.image.dpeth: unknown key; known are .*Did you mean 'depth'\?"):
        parse_part("towers.image", {"kind": "vit", "dpeth": 2}, "model.image")


def test_a_part_of_another_package_is_found_by_its_entry_point(installed: Path) -> None:
    assert "swin" in names("towers.image")
    assert build_part("towers.image", {"kind": "swin", "depth": 5}, "context") == ("swin", 5, "context")


def test_an_installed_part_does_not_hide_a_built_in_one(installed: Path) -> None:
    assert find_part("towers.image", "vit").__name__ == "tuwen.towers.image.vit"
    assert names("towers.image").count("vit") == 1


def test_a_part_whose_package_is_missing_says_which(installed: Path) -> None:
    with pytest.raises(RecipeError, match="part 'lame' in towers.image needs the package 'a_package_that_nobody_has'"):
        find_part("towers.image", "lame")


def test_a_setting_that_names_a_part_gets_the_parts_defaults() -> None:
    outer = Outer(tower={"kind": "vit", "depth": 2}, towers=[{"kind": "cnn"}], needed=1)
    assert outer.tower is not None
    assert (outer.tower["kind"], outer.tower["depth"]) == ("vit", 2)
    assert outer.tower == {**outer.default, "depth": 2}
    assert len(outer.towers[0]) > 1
    assert Outer.model_validate(outer.model_dump(mode="json")) == outer


def test_every_fault_is_told_at_once_and_at_any_depth() -> None:
    settings = {
        "inner": {"widht": 3},
        "tower": {"kind": "vti"},
        "towers": [{"kind": "vit"}, {"kind": "vit", "depth": "deep"}],
        "neded": 1,
    }
    towers = ", ".join(names("towers.image"))
    with pytest.raises(RecipeError) as error:
        validate(Outer, settings, "model")
    assert str(error.value).splitlines() == [
        "model.neded: unknown key; known are inner, tower, towers, default, needed. Did you mean 'needed'?",
        "model.inner.widht: unknown key; known are width. Did you mean 'width'?",
        f"model.tower: no part 'vti' in towers.image: there are {towers}. Did you mean 'vit'?",
        "model.towers.1.depth: input should be a valid integer, unable to parse string as an integer, got 'deep'",
        "model.needed: is missing",
    ]


def test_a_value_out_of_range_is_told_with_the_value() -> None:
    with pytest.raises(RecipeError, match=r"^width: input should be greater than or equal to 1, got 0$"):
        validate(Inner, {"width": 0}, "")


def test_configs_are_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Inner().width = 3


def test_nearest() -> None:
    assert nearest("contrastve", ["captioning", "contrastive"]) == " Did you mean 'contrastive'?"
    assert nearest("xyz", ["captioning", "contrastive"]) == ""
