"""Everything about speed, measured against what one would use instead: `make bench`.

Runs the claims about speed one after the other (each runs both sides in turn) and writes `results.json`, a table and
charts in `README.md`. With names, only those are measured, and the others are kept from `results.json`.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from run_claims import CLAIMS, machine, run

HERE = Path(__file__).parent
RESULTS, PAGE, CHART = HERE / "results.json", HERE / "README.md", HERE / "ratios.png"
SPEED = (
    "input_rate",
    "cpu_step",
    "own_step",
    "padding",
    "contrastive_memory",
    "two_processes",
    "generation",
    "retrieval_scale",
    "embed_folder",
)
"""The claims about speed, in the order of a step."""


def main() -> int:
    """Measure, and write; 0 where all hold."""
    known = [name for name in SPEED if (CLAIMS / f"{name}.py").exists()]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)}; all where none is named")
    names: list[str] = parser.parse_args().names or known
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"there is no claim about speed {', '.join(unknown)}; there are {', '.join(known)}")
    kept: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    where = machine()
    for name in names:
        kept[name] = {**asdict(run(name)), "machine": where}
        found = {name: kept[name] for name in known if name in kept}
        RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draw(found, CHART)
    PAGE.write_text(page(found), encoding="utf-8")
    return 0 if all(entry["holds"] for entry in found.values()) else 1


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The table, the chart, and what was held equal in each row."""
    machines = sorted({entry["machine"] for entry in found.values()})
    lines = [
        "# Speed",
        "",
        "Measured by `make bench`, both sides in turn in the same run; medians. `make claim NAME=…` measures one row "
        "afresh, and [results.json](results.json) has every figure with its least and most.",
        "",
        *(f"Measured on {each}." for each in machines),
        "",
        "| claim | asked | measured | holds |",
        "|---|---|---|---|",
        *(_row(name, entry) for name, entry in found.items()),
        "",
        "![How many times as fast](ratios.png)",
        "",
        "## What was held equal",
        "",
        *(f"- **{name}**: {_about(name)}" for name in found),
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, entry: Mapping[str, Any]) -> str:
    asked = "; ".join(f"{key} {condition}" for key, condition in entry["asked"].items())
    measured = "; ".join(f"{key} {_show(entry['values'].get(key))}" for key in entry["asked"]) or entry["error"]
    return f"| {name} | {asked} | {measured} | {'yes' if entry['holds'] else '**no**'} |"


def _show(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


def _about(name: str) -> str:
    """What a claim's script says of itself, in one line."""
    told = ast.get_docstring(ast.parse((CLAIMS / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return " ".join(told.split())


def ratios(found: Mapping[str, Mapping[str, Any]]) -> Sequence[tuple[str, float, float]]:
    """Those claims that are so many times as fast: name, times, times asked."""
    timed = [(name, entry) for name, entry in found.items() if "ratio" in entry["asked"] and "ratio" in entry["values"]]
    return [(name, entry["values"]["ratio"], float(entry["asked"]["ratio"].split()[-1])) for name, entry in timed]


def draw(found: Mapping[str, Mapping[str, Any]], file: Path) -> None:
    """A bar a claim, and a mark where it was asked to reach."""
    from matplotlib.figure import Figure

    rows = ratios(found)
    figure = Figure(figsize=(6.4, 0.8 + 0.4 * max(1, len(rows))), dpi=150, layout="constrained")
    axes = figure.subplots()
    names = [name for name, _, _ in rows]
    axes.barh(names, [times for _, times, _ in rows], color="#4269d0")
    for place, (_, times, asked) in enumerate(rows):
        axes.plot([asked, asked], [place - 0.4, place + 0.4], color="#b3331f", linewidth=2)
        axes.text(times, place, f" {times:.2f}×", va="center", fontsize=8)
    axes.axvline(1, color="#333333", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("times as fast as what one would use instead (red: asked)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file)


if __name__ == "__main__":
    sys.exit(main())
