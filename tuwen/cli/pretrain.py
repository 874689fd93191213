"""`tuwen pretrain`: train a recipe from scratch."""

from __future__ import annotations

from tuwen.cli._options import Captions, Data, Out, RecipeName, Resume, Sets

PANEL = "Train"


def command(
    recipe: RecipeName = "pretrain",
    data: Data = None,
    captions: Captions = None,
    out: Out = None,
    sets: Sets = None,
    resume: Resume = False,
) -> None:
    """Train a model on pictures and their texts, measure it, and show it on a page.

    tuwen pretrain --data photos/ --captions captions.csv --out runs/mine

    A run that was stopped goes on with: tuwen pretrain runs/mine --resume
    """
    from tuwen.cli._training import train

    train(recipe, data or [], captions, out, sets or [], resume)
