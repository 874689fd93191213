"""Measures what the docs state: `python benchmarks/run_claims.py [--record] [NAME ...] [-- OPTIONS]`.

Each `claims/NAME.py` measures one claim afresh and prints as its last line what was measured, what was asked and
whether it holds. With names, those run and their lines are printed; without, all run. What all of them gave, or what
those with `--record` gave, is kept in `claims.json`, and `claims.md` shows all that is kept there. What stands behind
`--` is given to the scripts: `--record systems -- --out runs/systems` goes on with what was measured before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CLAIMS = HERE / "claims"
KEPT = HERE / "claims.json"
TABLE = HERE / "claims.md"


@dataclass(frozen=True, slots=True)
class Result:
    """One claim as measured.

    values: flat, a dotted key each. error: why there are none. machine, date: where and when it was.
    """

    name: str
    values: Mapping[str, Any]
    asked: Mapping[str, str]
    holds: bool
    seconds: float
    error: str = ""
    machine: str = ""
    date: str = ""


def main() -> int:
    """Run the claims that the command line names, or all; 0 where all hold."""
    known = sorted(file.stem for file in CLAIMS.glob("[!_]*.py"))
    parser = argparse.ArgumentParser(description="Measure what the docs state.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)}; all where none is named")
    parser.add_argument("--record", action="store_true", help="keep what the named ones give, too")
    own, passed = split(sys.argv[1:])
    options = parser.parse_args(own)
    names: list[str] = options.names
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"there is no claim {', '.join(unknown)}; there are {', '.join(known)}")
    results = []
    for name in names or known:
        results.append(run(name, passed))
        if options.record or not names:  # at once: the next one may take hours
            record(results[-1], known)
    return 0 if all(result.holds for result in results) else 1


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before `--`, and what stands behind it."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return list(arguments[:place]), list(arguments[place + 1 :])


def record(result: Result, known: Sequence[str]) -> None:
    """Put a result in the place of an older one of the same claim, and write the page of all that is kept."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    kept[result.name] = asdict(replace(result, machine=machine(), date=f"{datetime.now(UTC):%Y-%m-%d}"))
    kept = {name: kept[name] for name in sorted(kept) if name in known}
    KEPT.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    TABLE.write_text(table([Result(**result) for result in kept.values()]), encoding="utf-8")


def run(name: str, options: Sequence[str] = ()) -> Result:
    """Run one claim's script in a process of its own, passing on what it prints as it prints it."""
    started = time.perf_counter()
    last = ""
    command = [sys.executable, "-u", str(CLAIMS / f"{name}.py"), *options]
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


def table(results: Sequence[Result]) -> str:
    """The page: a table for each machine, one row a value, the asked ones first within each claim."""
    page = [
        "# Claims",
        "",
        "Every figure that the README and the docs state, measured by `make claims`. "
        "`make claim NAME=…` measures one afresh.",
    ]
    for where, group in groupby(sorted(results, key=lambda result: result.machine), lambda result: result.machine):
        page += ["", f"Measured on {where}.", ""]
        page += ["| claim | value | asked | measured | holds | seconds | on |", "|---|---|---|---|---|---|---|"]
        page += [row for result in group for row in _rows(result)]
    return "\n".join(page) + "\n"


def _rows(result: Result) -> list[str]:
    end = ("yes" if result.holds else "**no**", f"{result.seconds:.0f}", result.date)
    if result.error:
        return [_row(result.name, "", "", result.error, *end)]
    keys = [*result.asked, *(key for key in result.values if key not in result.asked)]
    shown = [(key, result.asked.get(key, ""), _show(result.values.get(key))) for key in keys]
    first, *others = shown
    return [_row(result.name, *first, *end), *(_row("", *other, "", "", "") for other in others)]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return json.dumps(value, ensure_ascii=False)


def machine() -> str:
    """The machine in a sentence: processor, cores, memory, whether it has matrix units, versions."""
    import torch

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    units = "with" if "amx_bf16" in _cpuinfo("flags").split() else "without"
    return (
        f"{_cpuinfo('model name') or platform.processor() or platform.machine()} {units} bf16 matrix units (AMX), "
        f"{torch.get_num_threads()} cores in use, {memory:.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}, PyTorch {torch.__version__}"
    )


def _cpuinfo(field: str) -> str:
    """A field of the first processor, as Linux tells it; empty elsewhere."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == field), "")


if __name__ == "__main__":
    sys.exit(main())
