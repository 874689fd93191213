"""What a first pass finds before training: parts that nothing uses, and runs in which nothing could learn."""

import pytest

from tests import tiny
from tuwen.core.errors import RecipeError
from tuwen.recipe.step import Step
from tuwen.recipe.trial import refuse_to_learn_nothing, unused_parts

CONTRASTIVE = {"contrastive": {"kind": "contrastive"}}


def step(pool: str = "mean", freeze: tuple[str, ...] = ()) -> Step:
    """A contrastive one; nothing in its model reads patches."""
    image = {"kind": "vit", "width": 24, "depth": 1, "heads": 2, "patch": 8, "pool": pool}
    model = tiny.model(image=image, fusion=None, language=None, freeze=freeze)
    return Step(model.train(), {name: tiny.objective(spec) for name, spec in CONTRASTIVE.items()})


@pytest.mark.parametrize("pool", ["mean", "class"])
def test_a_part_is_used_by_whatever_way_it_is_asked(pool: str) -> None:
    assert unused_parts(step(pool), tiny.batch([["a"], ["b"]])) == []


def test_a_part_that_no_objective_runs_is_found() -> None:
    whole = Step(tiny.model().train(), {name: tiny.objective(spec) for name, spec in CONTRASTIVE.items()})
    assert unused_parts(whole, tiny.batch([["a"], ["b"]])) == ["fusion", "language"]


def test_training_that_could_change_nothing_is_refused() -> None:
    refuse_to_learn_nothing(step(freeze=("image",)).model, [])
    frozen = step(freeze=("image", "text", "embedding")).model
    with pytest.raises(RecipeError, match="objectives run image, text, embedding, and none of them may learn"):
        refuse_to_learn_nothing(frozen, [])
    with pytest.raises(RecipeError, match="objectives run image, and none"):
        refuse_to_learn_nothing(step(freeze=("image",)).model, ["text", "embedding"])
