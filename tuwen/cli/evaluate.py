"""`tuwen evaluate`: measure a trained model again, or on other data."""

from __future__ import annotations

from pathlib import Path
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
        recipe = load(str(run), data or [], captions, sets or []).recipe
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)  # before minutes are spent
        figures = evaluate_elsewhere(run, recipe, ProgressBar(console))
        if out is not None:
            write_metrics(out, figures)
    elif out is not None or sets:
        raise RecipeError("--out and --set belong to other data: name it with --data, or leave them out.")
    else:
        figures = evaluate_run(run, ProgressBar(console))
    console.print(metrics_table(figures))
