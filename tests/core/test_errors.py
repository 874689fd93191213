"""One tree of errors."""

import pickle

import pytest

from tuwen.core import errors


@pytest.mark.parametrize("name", ["RecipeError", "DataError", "CheckpointError", "TrainingError"])
def test_every_error_is_a_tuwen_error_and_says_its_message(name: str) -> None:
    error = getattr(errors, name)("what, where, what to do")
    assert isinstance(error, errors.TuwenError)
    assert str(error) == "what, where, what to do"


def test_a_sample_error_names_its_sample_and_crosses_processes() -> None:
    error = pickle.loads(pickle.dumps(errors.SampleError("a.png", "truncated")))
    assert isinstance(error, errors.TuwenError)
    assert (error.key, error.reason, str(error)) == ("a.png", "truncated", "a.png: truncated")
