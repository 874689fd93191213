"""`tuwen doctor`: what this machine can do, and what it means."""

from __future__ import annotations

PANEL = "Look inside"


def command() -> None:
    """Measure this machine: precision, cores, matrix rate, memory; and say what it means for training."""
    from pathlib import Path

    from accelerate import Accelerator
    from rich.console import Console
    from rich.table import Table

    from tuwen.train.doctor import examine

    health = examine(Accelerator().device, Path.cwd())
    table = Table("measured", "here", show_header=False)
    for name, value in health.machine.items():
        table.add_row(name, str(value))
    for precision, rate in health.rates.items():
        table.add_row(f"matrix product in {precision}", f"{rate / 1e12:.2f} TFLOP/s")
    table.add_row("copying in memory", f"{health.bandwidth / 1e9:.1f} GB/s")
    table.add_row("torch.compile", "works" if health.compiles is None else "does not work")
    table.add_row("free disk", f"{health.free_disk / 2**30:.0f} GiB")
    console = Console()
    console.print(table)
    for sentence in health.advice:
        console.print(f"- {sentence}", soft_wrap=True, highlight=False, markup=False)
