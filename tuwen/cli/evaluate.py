"""`tuwen evaluate`: measure a trained model again, or on other data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated

import typer

from tuwen.cli._options import Captions, Data, Run, Sets

PANEL = "Look inside"


def command(
    run: Run,
    data: Data = None,
    captions: Captions = None,
    out: Annotated[Path | None, typer.Option(help="A JSON file for the figures on other data.")] = None,
    sets: Sets = None,
) -> None:
    """Measure a trained model on the unseen splits of its data, and write metrics.json and the page again.

    Or on other data, which leaves the run as it is: on its test split, or on all of it where it has no splits.

    tuwen evaluate runs/mine --data new/ --captions new.csv --out new.json
    """
    from rich.console import Console

    from tuwen.cli._training import load
    from tuwen.core.errors import RecipeError
    from tuwen.recipe.elsewhere import evaluate_elsewhere
    from tuwen.recipe.evaluate import write_metrics
    from tuwen.recipe.run import evaluate_run
    from tuwen.report.tables import metrics_table
    from tuwen.train.listeners import ProgressBar

    console = Console()
    if data or captions:
        _refuse_other_settings(sets or [])
        recipe = load(str(run), data or [], captions, sets or []).recipe
        if out is not None:
            _refuse_unwritable(out)
        figures = evaluate_elsewhere(run, recipe, ProgressBar(console))
        if out is not None:
            write_metrics(out, figures)
    elif out is not None or sets:
        raise RecipeError("--out and --set belong to other data: name it with --data, or leave them out.")
    else:
        figures = evaluate_run(run, ProgressBar(console))
    console.print(metrics_table(figures))


def _refuse_other_settings(sets: Sequence[str]) -> None:
    """What the model is, and how it was trained, can no longer be set."""
    from tuwen.core.errors import RecipeError

    for setting in sets:
        if setting.partition("=")[0].partition(".")[0] not in ("data", "evaluate"):
            raise RecipeError(f"--set {setting}: the model is trained; only settings of data and evaluate count here.")


def _refuse_unwritable(file: Path) -> None:
    """Now, before minutes are spent."""
    from tuwen.core.errors import RecipeError

    if file.is_dir():
        raise RecipeError(f"--out {file}: it is a folder; name a file, such as {file / 'new.json'}.")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise RecipeError(f"--out {file}: it cannot be written ({error.strerror}); name another file.") from None
