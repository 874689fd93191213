"""`tuwen evaluate`: measure a trained model again."""

from __future__ import annotations

from tuwen.cli._options import Run

PANEL = "Look inside"


def command(run: Run) -> None:
    """Measure a trained model on the unseen splits of its data, and write metrics.json and the page again."""
    from rich.console import Console

    from tuwen.recipe.run import evaluate_run
    from tuwen.report.tables import metrics_table
    from tuwen.train.listeners import ProgressBar

    console = Console()
    console.print(metrics_table(evaluate_run(run, listener=ProgressBar(console))))
