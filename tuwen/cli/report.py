"""`tuwen report`: write a run's page again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PANEL = "Look inside"


def command(run: Annotated[Path, typer.Argument(help="Folder of a run.")]) -> None:
    """Write report.html from what a run's folder holds."""
    from tuwen.report.page import write_report

    typer.echo(write_report(run))
