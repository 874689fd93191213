"""`L = L_vision + L_language + (λ₁ L_vision + λ₂ L_language)`, term by term."""

import math

import pytest
import torch

from tests import tiny
from tests.objectives.given import gradients
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


# Learned weights


LEARNED = {"kind": "joint", "members": JOINT["members"], "learned": True}


def test_learned_weights_are_kendalls_formula_with_its_gradients() -> None:
    """`Σ exp(-s) L + s / 2`, in float64; the gradient of s is `½ - exp(-s) L`."""
    model = tiny.model(heads=HEADS, uncertainties=["vision", "language"]).double()
    with torch.no_grad():
        model.log_variance("vision").fill_(0.7)
        model.log_variance("language").fill_(-0.3)
    apart = Step(model, {"vision": tiny.objective(VISION), "language": tiny.objective(LANGUAGE)})(batch())
    losses = {name: loss.mean for name, loss in apart.items()}
    s = {name: model.log_variance(name) for name in losses}
    wanted = sum((-s[name]).exp() * losses[name] + s[name] / 2 for name in losses)
    step = Step(model, {"joint": tiny.objective({**LEARNED, "weight": 2})})
    found = sum(step.weights[name] * loss.mean for name, loss in step(batch()).items())
    assert isinstance(found, torch.Tensor)
    assert isinstance(wanted, torch.Tensor)
    torch.testing.assert_close(found, 2 * wanted)
    parameters = list(model.parameters())
    for ours, theirs in zip(gradients(found, parameters), gradients(2 * wanted, parameters), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            torch.testing.assert_close(ours, theirs)
    again = sum(step.weights[name] * loss.mean for name, loss in step(batch()).items())
    for name in losses:
        by_hand = 2 * (0.5 - (-s[name]).exp() * losses[name])
        torch.testing.assert_close(gradients(again, [s[name]])[0], by_hand)


def test_a_learned_weight_settles_where_it_is_twice_the_loss() -> None:
    """For a loss that stays at L the best is `exp(s) = 2 L`: what cannot be learned better counts less."""
    s = torch.zeros((), dtype=torch.float64, requires_grad=True)
    loss = torch.tensor(3.0, dtype=torch.float64)
    optimizer = torch.optim.SGD([s], lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        ((-s).exp() * loss + s / 2).backward()
        optimizer.step()
    assert s.exp().item() == pytest.approx(6.0)


def test_learned_weights_are_exact_when_a_batch_is_cut() -> None:
    model = tiny.model(heads=HEADS, uncertainties=["vision", "language"])
    term = tiny.objective(LEARNED).terms("joint")["joint/vision"][1]
    whole, part = batch(), batch()
    assert part.pixels is not None
    assert part.target is not None
    pieces = [Batch(part.pixels[cut], target=part.target[cut]) for cut in (slice(0, 1), slice(1, 3))]
    sums = [term(model(piece)).sum for piece in pieces]
    torch.testing.assert_close(sum(sums), term(model(whole)).sum)


def test_a_member_of_several_terms_has_one_weight() -> None:
    model = tiny.model(heads=HEADS, uncertainties=["both"])
    with torch.no_grad():
        model.log_variance("both").fill_(0.5)
    inner = {"kind": "joint", "members": JOINT["members"]}
    step = Step(model, {"all": tiny.objective({"kind": "joint", "members": {"both": inner}, "learned": True})})
    apart = Step(model, {"both": tiny.objective(inner)})
    assert total(step, batch()) == pytest.approx(math.exp(-0.5) * total(apart, batch()) + 0.25, rel=1e-5)


def test_learned_weights_are_given_or_learned_and_live_in_the_model() -> None:
    with pytest.raises(RecipeError, match="either learned or given"):
        parse_part("objectives", {**JOINT, "learned": True}, "objectives.joint")
    step = Step(tiny.model(heads=HEADS, uncertainties=["vision"]), {"joint": tiny.objective(LEARNED)})
    with pytest.raises(
        RecipeError, match=r"no learned weight for the loss 'language' \(it has: vision\): name it under"
    ):
        step(batch())
