"""Everything about speed, measured against what one would use instead: `make bench`.

Runs the claims about speed one after the other (each runs both sides in turn), keeps what they gave as `make claims`
does, and writes `results.json` and tables and charts in `README.md`. With names, only those are measured, and the
others are as they were measured last.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from run_claims import CLAIMS, KEPT, record, run

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results.json", HERE / "README.md"
RATIOS, RATES = HERE / "ratios.png", HERE / "rates.png"
ON_A_GPU = HERE / "gpu" / "results.json"
OURS, OTHERS, ASKED = "#4269d0", "#9498a0", "#b3331f"
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
PEERS = frozenset({"open_clip", "open_clip_bf16", "transformers", "usual", "padded"})
"""How the claims name what one would use instead."""


Entry = Mapping[str, Any]
"""What `run_claims.Result` says of a claim."""


class Way(NamedTuple):
    """One of the ways that were timed in turn, and what came out: median, least and most of the rounds."""

    name: str
    median: float
    least: float
    most: float


class Race(NamedTuple):
    """Ways timed against each other. measure: of what, `tokens_a_second`."""

    claim: str
    measure: str
    ways: Sequence[Way]


def main() -> int:
    """Measure, and write; 0 where all hold."""
    known = [name for name in SPEED if (CLAIMS / f"{name}.py").exists()]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)}; all where none is named")
    names: list[str] = parser.parse_args().names or known
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"there is no claim about speed {', '.join(unknown)}; there are {', '.join(known)}")
    for name in names:
        record(run(name), sorted(file.stem for file in CLAIMS.glob("[!_]*.py")))
        write(known)
    return 0 if all(entry["holds"] for entry in write(known).values()) else 1


def write(known: Sequence[str]) -> dict[str, Any]:
    """The results, the table and the charts of those claims that have been measured so far, here or alone."""
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    found = {name: kept[name] for name in known if name in kept}
    RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draw_ratios(ratios(found), RATIOS)
    draw_rates(races(found), RATES)
    PAGE.write_text(page(found), encoding="utf-8")
    return found


def page(found: Mapping[str, Entry]) -> str:
    """The tables, the charts, and what was held equal in each row."""
    machines = sorted({entry["machine"] for entry in found.values()})
    lines = [
        "# Speed",
        "",
        "Measured by `make bench`, both sides in turn in the same run. `make claim NAME=…` measures one row afresh, "
        "and [results.json](results.json) has every figure. What a billion pairs would cost is [computed](scale.md) "
        "from measured figures.",
        "",
        *(f"Measured on {each}." for each in machines),
        "",
        "| claim | asked | measured | holds |",
        "|---|---|---|---|",
        *(_row(name, entry) for name, entry in found.items()),
        "",
        "![How many times as fast](ratios.png)",
        "",
        "| claim | measure | way | median | least | most |",
        "|---|---|---|---|---|---|",
        *(row for race in races(found) for row in _race_rows(race)),
        "",
        "![Each way, with the least and the most of its rounds](rates.png)",
        "",
        "## What was held equal",
        "",
        *(f"- **{name}**: {_about(name)}" for name in found),
        "",
        "## On a GPU",
        "",
        _on_a_gpu(ON_A_GPU),
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, entry: Entry) -> str:
    asked = "; ".join(f"{key} {condition}" for key, condition in entry["asked"].items())
    measured = "; ".join(f"{key} {_show(entry['values'].get(key))}" for key in entry["asked"]) or entry["error"]
    return f"| {name} | {asked} | {measured} | {'yes' if entry['holds'] else '**no**'} |"


def _on_a_gpu(results: Path) -> str:
    what = "[gpu/step.py](gpu/step.py) trains a ViT-B/16 with captions, compiled, against open_clip on a GPU"
    if not results.exists():
        return f"{what}. Not measured: none was at hand. Run it on a machine that has one, after `make peers`."
    found = json.loads(results.read_text(encoding="utf-8"))
    return (
        f"{what}. On {found['card']}: {_show(found['ratio'])} times its pairs a second (asked: "
        f"{found['asked']['ratio']}), and {found['utilisation']:.0%} of a large matrix product's rate (asked: "
        f"{found['asked']['utilisation']:.0%})."
    )


def _race_rows(race: Race) -> list[str]:
    firsts = [(race.claim, _words(race.measure)), *[("", "")] * (len(race.ways) - 1)]
    shown = [(way.name, *(_show(each) for each in way[1:])) for way in race.ways]
    return [f"| {' | '.join((*first, *cells))} |" for first, cells in zip(firsts, shown, strict=True)]


def _show(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1000 else json.dumps(value)


def _words(measure: str) -> str:
    return measure.replace("_", " ").replace(".", ", ")


def _about(name: str) -> str:
    """What a claim's script says of itself, in one line."""
    told = ast.get_docstring(ast.parse((CLAIMS / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return " ".join(told.split())


def races(found: Mapping[str, Entry]) -> list[Race]:
    """All that was timed in turn: wherever values have a median."""
    ways: dict[tuple[str, str], list[Way]] = {}
    for claim, entry in found.items():
        values = entry["values"]
        for key in values:
            if key.endswith(".median"):
                measure, _, name = key.removesuffix(".median").rpartition(".")
                spread = (float(values[f"{measure}.{name}.{end}"]) for end in ("median", "min", "max"))
                ways.setdefault((claim, measure), []).append(Way(name, *spread))
    return [Race(*names, own) for names, own in ways.items()]


def ratios(found: Mapping[str, Entry]) -> list[tuple[str, float, float]]:
    """Those claims that are so many times as fast: name, times, times asked."""
    timed = [(name, entry) for name, entry in found.items() if "ratio" in entry["asked"] and "ratio" in entry["values"]]
    return [(name, entry["values"]["ratio"], float(entry["asked"]["ratio"].split()[-1])) for name, entry in timed]


def draw_ratios(rows: Sequence[tuple[str, float, float]], file: Path) -> None:
    """A bar a claim, and a mark where it was asked to reach."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 0.8 + 0.4 * max(1, len(rows))), dpi=150, layout="constrained")
    axes = figure.subplots()
    axes.barh([name for name, _, _ in rows], [times for _, times, _ in rows], color=OURS)
    for place, (_, times, asked) in enumerate(rows):
        axes.plot([asked, asked], [place - 0.4, place + 0.4], color=ASKED, linewidth=2)
        axes.text(max(times, asked), place, f" {times:.2f}×", va="center", fontsize=8)
    axes.axvline(1, color="#333333", linewidth=0.8)
    axes.margins(x=0.12)
    axes.invert_yaxis()
    axes.set_xlabel("times as fast as what one would use instead (red: asked)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file)


def draw_rates(rows: Sequence[Race], file: Path) -> None:
    """A small chart a race: a bar a way, with a whisker from the least to the most of its rounds."""
    from matplotlib.figure import Figure

    heights = [1 + len(race.ways) for race in rows] or [1]
    figure = Figure(figsize=(6.4, 0.8 + 0.24 * sum(heights)), dpi=150, layout="constrained")
    charts = figure.subplots(len(heights), squeeze=False, height_ratios=heights)[:, 0]
    for axes, race in zip(charts, rows, strict=False):
        names = [way.name.replace("_", " ") for way in race.ways]
        colours = [OTHERS if way.name in PEERS else OURS for way in race.ways]
        axes.barh(names, [way.median for way in race.ways], color=colours)
        for place, way in enumerate(race.ways):
            axes.plot([way.least, way.most], [place, place], color="#333333", linewidth=1)
            axes.text(max(way.most, way.median), place, f" {way.median:,.4g}", va="center", fontsize=7)
        axes.set_title(f"{race.claim}: {_words(race.measure)}", fontsize=8, loc="left")
        axes.tick_params(labelsize=7)
        axes.margins(x=0.12)
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file)


if __name__ == "__main__":
    sys.exit(main())
