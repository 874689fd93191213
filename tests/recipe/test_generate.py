"""What a person does with a trained language model that sees."""

from pathlib import Path

import pytest

import tuwen
from tests import tiny
from tuwen.core.errors import RecipeError

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
