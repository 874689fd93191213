"""`L = L_vision + L_language + (λ₁ L_vision + λ₂ L_language)`, term by term."""

import pytest
import torch

from tests import tiny
from tuwen.core.batch import Batch
from tuwen.core.errors import RecipeError
from tuwen.core.rooms import parse_part
from tuwen.recipe.step import Step

HEADS = {"label": {"reads": "image", "classes": 4}, "text_label": {"reads": "text", "classes": 4}}
VISION = {"kind": "classification", "head": "label"}
LANGUAGE = {"kind": "classification", "head": "text_label", "stream": "symptoms"}
JOINT = {
    "kind": "joint",
    "members": {"vision": VISION, "language": LANGUAGE},
    "lambdas": {"vision": 0.5, "language": 0.25},
}


def batch() -> Batch:
    made = tiny.batch([["a"], ["b"], ["c"]], target=[0, None, 2])
    text = made.texts["retrieve"]
    known = type(text)(text.ids, text.segments, text.image, target=torch.tensor([1, 1, 3]), rows_per_image=1)
    return Batch(made.pixels, {"symptoms": known}, made.target, made.keys)


def total(step: Step, batch: Batch) -> float:
    """As training adds the terms up."""
    return sum(step.weights[name] * loss.mean.item() for name, loss in step(batch).items())


def test_it_is_the_formula() -> None:
    model = tiny.model(heads=HEADS)
    apart = Step(model, {"vision": tiny.objective(VISION), "language": tiny.objective(LANGUAGE)})(batch())
    vision, language = apart["vision"].mean.item(), apart["language"].mean.item()
    step = Step(model, {"joint": tiny.objective(JOINT)})
    wanted = vision + language + (0.5 * vision + 0.25 * language)
    assert total(step, batch()) == pytest.approx(wanted)
    assert step.weights == {"joint/vision": 1.5, "joint/language": 1.25}
    assert step.counts(batch()) == {"joint/vision": 2, "joint/language": 3}
    heavier = Step(model, {"joint": tiny.objective({**JOINT, "weight": 2})})
    assert total(heavier, batch()) == pytest.approx(2 * wanted)


def test_its_count_is_that_of_its_members() -> None:
    assert tiny.objective(JOINT).count(batch()) == 5
    assert tiny.objective(JOINT).count(Batch()) == 0


def test_members_have_weights_of_their_own_and_may_be_joint_themselves() -> None:
    inner = {"kind": "joint", "weight": 3.0, "members": {"language": {**LANGUAGE, "weight": 0.5}}}
    outer = {"kind": "joint", "members": {"vision": VISION, "both": inner}, "lambdas": {"both": 1.0}}
    terms = tiny.objective(outer).terms("all")
    assert {name: weight for name, (weight, _) in terms.items()} == {"all/vision": 1.0, "all/both/language": 3.0}


def test_a_lambda_of_no_member_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"lambdas: no member 'visoin'; there are vision, language\. Did you mean"):
        parse_part("objectives", {**JOINT, "lambdas": {"visoin": 1.0}}, "objectives.joint")


@pytest.mark.parametrize("members", [{}, {"vision": {"kind": "clasification"}}, {"vision": {**VISION, "hed": "x"}}])
def test_wrong_members_are_refused(members: object) -> None:
    with pytest.raises(RecipeError, match=r"objectives.joint.members"):
        parse_part("objectives", {"kind": "joint", "members": members}, "objectives.joint")


def test_a_missing_head_is_named_with_a_line_that_would_add_it() -> None:
    model = tiny.model(heads={"label": HEADS["label"]})
    line = r"`text_label: \{reads: image, classes: labels\}`"
    with pytest.raises(RecipeError, match=rf"objectives.joint/language: the model has no head 'text_label' .* {line}"):
        Step(model, {"joint": tiny.objective(JOINT)})
