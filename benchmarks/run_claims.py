"""Measures what the docs state: `python benchmarks/run_claims.py [NAME ...]`.

Each `claims/NAME.py` measures one claim afresh and prints as its last line what was measured, what was asked and
whether it holds. With names, those run and their lines are printed; without, all run and `claims.md` is written.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CLAIMS = HERE / "claims"
TABLE = HERE / "claims.md"


@dataclass(frozen=True, slots=True)
class Result:
    """One claim as measured. values: flat, a dotted key each. error: why there are none."""

    name: str
    values: Mapping[str, Any]
    asked: Mapping[str, str]
    holds: bool
    seconds: float
    error: str = ""


def main() -> int:
    """Run the claims that the command line names, or all; 0 where all hold."""
    known = sorted(file.stem for file in CLAIMS.glob("[!_]*.py"))
    parser = argparse.ArgumentParser(description="Measure what the docs state.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)}; all where none is named")
    names: list[str] = parser.parse_args().names
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"there is no claim {', '.join(unknown)}; there are {', '.join(known)}")
    results = [run(name) for name in names or known]
    if not names:
        TABLE.write_text(table(results, machine()), encoding="utf-8")
        print(f"written: {TABLE.relative_to(Path.cwd()) if TABLE.is_relative_to(Path.cwd()) else TABLE}")
    return 0 if all(result.holds for result in results) else 1


def run(name: str) -> Result:
    """Run one claim's script in a process of its own, passing on what it prints as it prints it."""
    started = time.perf_counter()
    last = ""
    command = [sys.executable, "-u", str(CLAIMS / f"{name}.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line if line.strip() else last
    return read(name, last, process.returncode, time.perf_counter() - started)


def read(name: str, line: str, status: int, seconds: float) -> Result:
    """What a script's last line says, or why it says nothing."""
    try:
        said = json.loads(line)
        return Result(name, flat(said["values"]), said["asked"], said["holds"] and status == 0, said["seconds"])
    except (ValueError, KeyError, TypeError):
        return Result(name, {}, {}, False, seconds, f"ended with status {status} before it measured anything")


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values with one dotted key each."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def table(results: list[Result], machine: str) -> str:
    """The page: one row a value, the asked ones first within each claim."""
    rows = [row for result in results for row in _rows(result)]
    header = ["| claim | value | asked | measured | holds | seconds |", "|---|---|---|---|---|---|"]
    intro = [
        "# Claims",
        "",
        "Every figure that the README and the docs state, measured by `make claims`. "
        "`make claim NAME=…` measures one afresh.",
        "",
        f"Measured on {machine}.",
        "",
    ]
    return "\n".join([*intro, *header, *rows]) + "\n"


def _rows(result: Result) -> list[str]:
    holds, seconds = "yes" if result.holds else "**no**", f"{result.seconds:.0f}"
    if result.error:
        return [_row(result.name, "", "", result.error, holds, seconds)]
    keys = [*result.asked, *(key for key in result.values if key not in result.asked)]
    shown = [(key, result.asked.get(key, ""), _show(result.values.get(key))) for key in keys]
    first, *others = shown
    return [_row(result.name, *first, holds, seconds), *(_row("", *other, "", "") for other in others)]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return json.dumps(value, ensure_ascii=False)


def machine() -> str:
    """The machine in a sentence: processor, cores, memory, how fast it multiplies matrices, versions, date."""
    import torch

    rates = {name: product_rate(kind) for name, kind in {"bf16": torch.bfloat16, "fp32": torch.float32}.items()}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    speed = ", ".join(f"{rate / 1e12:.2f} TFLOP/s in {name}" for name, rate in rates.items())
    return (
        f"{processor()}, {torch.get_num_threads()} cores in use, {memory:.0f} GB ({speed}), {platform.system()}, "
        f"Python {platform.python_version()}, PyTorch {torch.__version__}, {datetime.now(UTC):%Y-%m-%d}"
    )


def product_rate(kind: Any, side: int = 2048) -> float:
    """Floating-point operations a second in a product of two square matrices, at best."""
    import torch

    matrix = torch.randn(side, side).to(kind)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - started)
    return 2 * side**3 / min(seconds)


def processor() -> str:
    """The processor's model, as the system names it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
