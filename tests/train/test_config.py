"""Settings that cannot be meant are refused, in words."""

import pytest

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import validate
from tuwen.train.config import TrainConfig


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({}, "exactly one of steps, epochs and minutes .there is none of them."),
        ({"steps": 5, "minutes": 1}, "exactly one of steps, epochs and minutes .there is steps and minutes."),
        ({"steps": 0}, "train.steps"),
        ({"steps": 5, "warmup": 1.5}, "train.warmup"),
        ({"steps": 5, "ema": 1.0}, "train.ema"),
        ({"steps": 5, "precision": "fp8"}, "train.precision"),
        ({"steps": 5, "batch_sise": 5}, "train.batch_sise: unknown key.*Did you mean 'batch_size'"),
        ({"steps": 5, "optimizer": {"kind": "adamv"}}, "no part 'adamv' in train.optimizers.* Did you mean 'adamw'"),
        ({"steps": 5, "optimizer": {"kind": "muon", "momentum": -1}}, "momentum"),
    ],
)
def test_a_setting_that_cannot_be_meant(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(RecipeError, match=fault):
        validate(TrainConfig, settings, "train")


def test_a_warmup_of_steps_and_one_of_a_share_are_told_apart() -> None:
    assert isinstance(TrainConfig(steps=5, warmup=1).warmup, int)
    assert isinstance(TrainConfig(steps=5, warmup=0.5).warmup, float)
