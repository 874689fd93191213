"""What `import tuwen` offers is a promise: this test changes only when the promise does."""

import subprocess
import sys

import pytest

import tuwen

PUBLIC = {
    "Box",
    "Caption",
    "CheckpointError",
    "DataError",
    "Model",
    "Question",
    "Recipe",
    "RecipeError",
    "Sample",
    "SampleError",
    "TrainingError",
    "TuwenError",
    "__version__",
    "load",
    "load_recipe",
}


def test_the_public_names_are_these() -> None:
    assert set(tuwen.__all__) == PUBLIC
    assert set(dir(tuwen)) == PUBLIC


def test_every_public_name_is_there() -> None:
    for name in PUBLIC:
        assert getattr(tuwen, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tuwen' has no attribute 'laod'"):
        _ = tuwen.laod


def test_importing_tuwen_imports_nothing_heavy() -> None:
    program = "import sys, tuwen; print(*[m for m in ('torch', 'numpy', 'pydantic', 'yaml') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
