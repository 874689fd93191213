"""Two processes that each have half of a batch give the loss and the gradients of one that has all of it.

The contrastive and the sigmoid objective compare every text with every picture, those of the other process included.
Asked of float64, where nothing but a mistake could make a difference. In float32 the order of a sum makes one too, most
where a gradient's terms all but cancel out (the last norm's bias); how much is told beside it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import torch
from _claim import report

RECIPE = Path(__file__).with_suffix(".yaml")
BATCH = 32
KINDS = ("contrastive", "sigmoid")
PRECISIONS = {"": torch.float64, "_float32": torch.float32}
ASKED = {f"{kind}.{what}": "<= 1e-5" for kind in KINDS for what in ("loss_difference", "gradient_difference")}


def main() -> None:
    """The same gradients once by one process and once by two."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        found = {world: torch.load(start(world, Path(temporary) / f"{world}.pt")) for world in (1, 2)}
    values: dict[str, Any] = {name: difference(alone, found[2][name]) for name, alone in found[1].items()}
    report("two_processes", {**values, "batch": BATCH}, ASKED, time.perf_counter() - began)


def difference(alone: dict[str, torch.Tensor], together: dict[str, torch.Tensor]) -> dict[str, float]:
    """As shares of the loss, and of each gradient's largest number."""
    shares = {name: float((together[name] - value).abs().max() / value.abs().max()) for name, value in alone.items()}
    return {"loss_difference": shares.pop("loss"), "gradient_difference": max(shares.values())}


def start(world: int, file: Path) -> Path:
    """Run this script in several processes, and wait for them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(file)], env={**os.environ, **common, "RANK": str(n), "LOCAL_RANK": str(n)}
        )
        for n in range(world)
    ]
    if max(process.wait() for process in processes):
        raise RuntimeError("a process failed")
    return file


def run(file: Path) -> None:
    """One process: its share of the batch, and the gradients of all."""
    from accelerate import Accelerator

    from tuwen.recipe.build import build_step, build_system
    from tuwen.recipe.schema import load_recipe
    from tuwen.recipe.sources import build_data
    from tuwen.train.learner import Learner
    from tuwen.train.processes import Team

    team = Team(Accelerator(cpu=True))
    answer = {}
    for kind, (suffix, precision) in product(KINDS, PRECISIONS.items()):
        sets = [f"objectives.pairs.kind={kind}", f"train.batch_size={BATCH // team.world}"]
        recipe = load_recipe(RECIPE, sets=sets).recipe
        data = build_data(recipe)
        system = build_system(recipe, data, team.world)
        step = build_step(system).to(precision)
        learner = Learner(step, recipe.train, team, "fp32")
        batch = next(system.loader(data.train, 0, team.rank, team.world).iterate()).batch
        totals = dict(zip(step.weights, team.add(list(step.counts(batch).values())), strict=True))
        losses = learner.gradients([batch], totals)
        total = team.add([float(loss.sum) / totals[name] for each in losses for name, loss in each.items()])
        gradients = {name: p.grad for name, p in step.named_parameters() if p.grad is not None}
        answer[kind + suffix] = {"loss": torch.tensor(total, dtype=torch.float64).sum(), **gradients}
    if team.main:
        torch.save(answer, file)
    if team.world > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(Path(sys.argv[1]))
    else:
        main()
