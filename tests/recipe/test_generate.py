"""What a person does with a trained language model that sees."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import tuwen
from tests import tiny
from tuwen.cli.app import build_app
from tuwen.core.errors import DataError, RecipeError

ONE, OTHER = (sample.image for sample in tiny.scenes()["train"][:2])


def test_prompts_of_words_and_pictures(tiny_run: Path) -> None:
    model = tuwen.load(tiny_run)
    prompts = [[ONE, "this is a dax. ", OTHER, "this is a"], ["two words"]]
    several = model.generate(prompts, max_new_tokens=5)
    assert several == [model.generate(prompt, max_new_tokens=5) for prompt in prompts]
    assert "".join(model.stream(prompts[0], max_new_tokens=5)) == several[0]
    assert isinstance(model.generate(prompts[0], max_new_tokens=5, beams=3), str)
    assert model.generate(prompts[0], max_new_tokens=5, top_p=0.9, seed=1) == model.generate(
        prompts[0], max_new_tokens=5, top_p=0.9, seed=1
    )
    scores = model.score(prompts[0], ["dax", "blicket"])
    assert len(scores) == 2
    assert max(scores) < 0


def test_a_setting_that_is_not_known_is_told(tiny_run: Path) -> None:
    with pytest.raises(RecipeError, match="generate.beam: unknown key.*Did you mean 'beams'"):
        tuwen.load(tiny_run).generate(["a"], beam=3)


def test_the_command_takes_words_and_files(tiny_run: Path, tmp_path: Path) -> None:
    assert isinstance(ONE, np.ndarray)
    Image.fromarray(ONE).save(tmp_path / "one.png")
    words = ["generate", str(tiny_run), str(tmp_path / "one.png"), "this is a", "--tokens", "5"]
    model = tuwen.load(tiny_run)
    drawn = ["--top-p", "0.9", "--seed", "3"]
    for more, how in (([], {}), (["--beams", "2"], {"beams": 2}), (drawn, {"top_p": 0.9, "seed": 3})):
        done = CliRunner().invoke(build_app(), [*words, *more])
        assert done.exit_code == 0, done.output
        said = model.generate([tmp_path / "one.png", "this is a"], max_new_tokens=5, **how)
        assert done.stdout.rstrip("\n") == said


def test_a_long_prompt_is_words_and_a_picture_that_is_not_there_is_refused(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file's name may have 255 bytes, and a Chinese sign takes three."""
    said: list[object] = []
    monkeypatch.setattr("tuwen.recipe.use.Model.stream", lambda model, parts, **how: said.extend(parts) or ())
    words = ["这是一个很长的句子。" * 14, "a cat.png is a file ", str(tmp_path)]
    assert CliRunner().invoke(build_app(), ["generate", str(tiny_run), *words]).exit_code == 0
    assert said == words
    refused = CliRunner().invoke(build_app(), ["generate", str(tiny_run), "nofile.PNG", "this is a"])
    assert isinstance(refused.exception, DataError)
    assert str(refused.exception).startswith("nofile.PNG: there is no such picture.")
