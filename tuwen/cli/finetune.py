"""`tuwen finetune`: go on from a trained model with one task."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuwen.cli._options import Captions, Run, Sets

if TYPE_CHECKING:
    from tuwen.recipe.resolve import Resolved
    from tuwen.recipe.schema import Recipe

PANEL = "Train"


class Task(StrEnum):
    """What to learn."""

    classify = "classify"
    vqa = "vqa"
    caption = "caption"
    retrieve = "retrieve"


def command(
    run: Run,
    task: Annotated[Task, typer.Option(help="What to learn.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="A folder of pictures, tars, or a data set of the hub; what the model was trained on if none."
        ),
    ] = None,
    captions: Captions = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help="Parts that learn: head, image, text, fusion, ...; all learn if none."),
    ] = None,
    lora: Annotated[
        int | None, typer.Option(min=1, metavar="RANK", help="Let low-rank adapters learn in place of the towers.")
    ] = None,
    guard: Annotated[
        bool, typer.Option(help="Measure what the model forgets, and save weights between the old and the new.")
    ] = True,
    out: Annotated[Path | None, typer.Option(help="Folder of the new run; by default RUN-TASK.")] = None,
    sets: Sets = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the new run's last checkpoint.")] = False,
) -> None:
    """Go on from a trained model with one task: all of it, its head alone, or through adapters.

    tuwen finetune runs/mine --task classify --data photos/ --only head

    It trains for five minutes unless told otherwise: --set train.epochs=10
    """
    from tuwen.cli._training import run_recipe
    from tuwen.data import spec_of
    from tuwen.recipe.finetune import finetune_recipe
    from tuwen.recipe.library import RUN_RECIPE

    folder = out or _beside(run, task)
    if resume and (folder / RUN_RECIPE).exists():
        given = {"--data": data, "--captions": captions, "--only": only, "--lora": lora, "--no-guard": not guard}
        resolved = _gone_on_with(folder, run, task, [option for option, value in given.items() if value], sets or [])
    else:
        spec = spec_of(data or [], captions) if data or captions else None
        parts = only or ()
        resolved = finetune_recipe(run, task.value, data=spec, only=parts, lora=lora, guard=guard, sets=sets or ())
        if lora and resolved.recipe.model.freeze:
            still = ", ".join(resolved.recipe.model.freeze)
            typer.echo(f"no adapters for {still}, which stays as it is: no linear layer there can have one")
    if guard and resolved.recipe.guard is None:
        typer.echo("no guard: the model was trained neither for retrieval nor for classification by texts")
    run_recipe(resolved, folder, resume)


def _gone_on_with(folder: Path, run: Path, task: Task, options: Sequence[str], sets: Sequence[str]) -> Resolved[Recipe]:
    """The recipe of a fine-tuning that goes on, which options cannot make another.

    Raises:
        RecipeError: options were given that only a new run can follow, or another task or run than its own.
    """
    from tuwen.core.errors import RecipeError
    from tuwen.recipe.schema import load_recipe

    resolved = load_recipe(folder, sets=sets)
    recipe = resolved.recipe
    if options:
        why = f"leave {', '.join(options)} out"
    elif task.value not in [spec["kind"] for spec in recipe.tasks.values()]:
        why = f"it learns {', '.join(recipe.tasks)}, not --task {task.value}"
    elif recipe.start is None or recipe.start.run.resolve() != run.resolve():
        why = f"it started from {recipe.start.run if recipe.start else 'random weights'}, not from {run}"
    else:
        return resolved
    raise RecipeError(
        f"--resume: {folder} goes on as it began: {why} (tuwen pretrain {folder} --resume is all that it needs), or "
        "begin a new run with another --out."
    )


def _beside(run: Path, task: Task) -> Path:
    """`RUN-TASK` beside the run; also where that is called `.` or `..`."""
    there = run if run.name not in ("", "..") else run.resolve()
    return there.parent / f"{run.resolve().name}-{task.value}"
