"""`tuwen profile`: where the time of a training step goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuwen.cli._options import Captions, Data, MaybeRecipe, Sets

PANEL = "Look inside"
WIDTH = 40


def command(
    recipe: MaybeRecipe = None,
    data: Data = None,
    captions: Captions = None,
    sets: Sets = None,
    out: Annotated[Path, typer.Option(help="Folder for the trace and the chart.")] = Path("runs/profile"),
) -> None:
    """Run a few training steps, and name the bottleneck."""
    from rich.console import Console

    from tuwen.cli._training import chosen, load
    from tuwen.recipe.profile import profile
    from tuwen.report.shares import draw_shares

    out.mkdir(parents=True, exist_ok=True)
    found = profile(load(chosen(recipe, data, captions), data or [], captions, sets or []).recipe, out / "trace.json")
    draw_shares(found.shares, out / "shares.png")
    console = Console()
    for name, share in found.shares.items():
        console.print(f"{name:>16} {share:6.1%} {'█' * round(WIDTH * share)}", highlight=False, soft_wrap=True)
    rate = f"{1e3 * found.seconds:.0f} ms a step, {found.samples_per_second:.0f} samples a second."
    console.print(f"{rate} {found.words}", highlight=False, soft_wrap=True)
    console.print(f"Trace: {out / 'trace.json'}; chart: {out / 'shares.png'}", soft_wrap=True)
