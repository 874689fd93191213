"""Which samples can be used at all: read, and with a picture that can be decoded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tuwen.core.errors import DataError, SampleError
from tuwen.core.sample import Sample, Source, Stream
from tuwen.prep.images import ImagePrep
from tuwen.recipe.schema import Recipe
from tuwen.recipe.sources import Outcome, some

FEWEST = 2
"""Training samples, below which there is nothing to tell a picture from."""


def usable(outcomes: Iterable[Outcome], images: ImagePrep) -> tuple[list[Sample], list[SampleError]]:
    """The samples that can be used, their pictures as the model sees them, and the errors of the others.

    Decoded once, a picture costs every task that looks at it nothing more.
    """
    found = [_prepared(outcome, images) for outcome in outcomes]
    samples = [outcome for outcome in found if isinstance(outcome, Sample)]
    return samples, [outcome for outcome in found if isinstance(outcome, SampleError)]


def fill_batches(
    recipe: Recipe, source: Source | Stream, images: ImagePrep, world: int
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with batches that a small data set can fill, and a sentence where they are smaller than it says.

    Args:
        recipe: as it was resolved.
        source: what is trained on.
        images: how pictures are prepared.
        world: processes that train together, each with a batch of its own.

    Raises:
        DataError: there are too few samples to train on.
    """
    wanted = recipe.train.batch_size
    if not isinstance(source, Source) or len(source) >= 2 * wanted * world:
        return recipe, ()
    broken = [
        fault for outcome in some(source, len(source)) if isinstance(fault := _prepared(outcome, images), SampleError)
    ]
    count = len(source) - len(broken)
    if count < FEWEST * world:
        raise DataError(
            f"data: {count} of {len(source)} training samples can be used, and at least {FEWEST * world} are needed, "
            f"so that there is one to tell another from: give more pictures.{reasons(broken)}"
        )
    size = min(wanted, count // world)
    if size == wanted:
        return recipe, ()
    smaller = recipe.model_copy(update={"train": recipe.train.model_copy(update={"batch_size": size})})
    return smaller, (f"A batch has {size} samples and not {wanted}: only {count} training samples can be used.",)


def reasons(broken: Sequence[SampleError], most: int = 5) -> str:
    """The first few errors, each on a line of its own below a message."""
    return "".join(f"\n  {error}" for error in broken[:most])


def _prepared(outcome: Outcome, images: ImagePrep) -> Outcome:
    if isinstance(outcome, SampleError) or outcome.image is None:
        return outcome
    try:
        return replace(outcome, image=images(outcome.image, outcome.key, None))
    except SampleError as error:
        return error
