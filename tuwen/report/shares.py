"""A bar a share: where the time of a step goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

BAR, INK = "#4269d0", "#333333"


def draw_shares(shares: Mapping[str, float], file: Path) -> None:
    """One horizontal bar a name, in the order given, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 0.6 + 0.36 * len(shares)), dpi=150, layout="constrained")
    axes = figure.subplots()
    names = list(shares)
    axes.barh(names, [100 * share for share in shares.values()], color=BAR)
    for row, share in enumerate(shares.values()):
        axes.text(100 * share + 1, row, f"{share:.1%}", va="center", color=INK, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 112)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("% of a step's time")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file)
