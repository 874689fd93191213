"""The lines to copy from the page."""

import shlex
from pathlib import Path

import pytest
from PIL import Image

import tuwen
from tuwen.recipe.sources import build_data
from tuwen.report.again import CALLS, WITH_TEXT, again, use
from tuwen.report.page import write_report


def test_a_folder_is_quoted_where_it_must_be() -> None:
    assert again(Path("runs/mine")) == "tuwen pretrain runs/mine --out runs/mine-again"
    odd = "my runs/it's"
    assert shlex.split(again(Path(odd))) == ["tuwen", "pretrain", odd, "--out", f"{odd}-again"]
    assert use(Path("my runs/it's"), "")[0] == """model = tuwen.load("my runs/it's")"""


@pytest.mark.parametrize(
    ("recipe", "kinds"),
    [
        ("", []),
        ("tasks: {}", []),
        ("- no recipe", []),
        ("tasks: [1, ", []),
        ("tasks:\n  caption: {}\n  vqa: {}", ["caption", "vqa"]),
        ("tasks:\n  naming: {kind: classify}\n  other: {kind: new}", ["classify"]),
    ],
)
def test_a_model_is_asked_what_it_was_trained_for(recipe: str, kinds: list[str]) -> None:
    assert use(Path("run"), recipe)[1:] == [CALLS[kind] for kind in kinds]


def test_a_model_that_reads_the_pictures_texts_is_given_them() -> None:
    recipe = "tasks:\n  tag: {with_text: true}\n  classify: {with_text: false}"
    assert use(Path("run"), recipe)[1:] == [CALLS["classify"], WITH_TEXT["tag"]]
    recipe = "tasks:\n  classify: {by: head, with_text: true}\n  again: {kind: classify}"
    assert use(Path("run"), recipe)[1:] == [WITH_TEXT["classify"]]  # the first is asked
    assert use(Path("run"), "tasks:\n  classify: {by: texts, with_text: true}")[1:] == [CALLS["classify"]]


def test_what_the_page_says_works(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = (tiny_run / "recipe.yaml").read_text(encoding="utf-8")
    page = write_report(tiny_run).read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    sample = build_data(tuwen.load_recipe(tiny_run).recipe).splits["test"][0]  # type: ignore[index]
    Image.fromarray(sample.image).save("picture.jpg")
    lines = use(tiny_run, recipe)
    assert len(lines) == 5
    names = {"tuwen": tuwen}
    for line in lines:
        assert line.replace("'", "&#39;").replace('"', "&#34;") in page
        exec(line, names)
