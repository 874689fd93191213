"""Training in several processes, as a launcher starts them."""

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import SMALL

SCENES = (
    "data={kind: scenes, size: 32, train_scenes: 60, test_scenes: 8}",
    "evaluate.samples=6",
    "tasks.classify.by=texts",
)


def test_all_processes_end_well_and_the_first_one_measures(tmp_path: Path) -> None:
    sets = [part for change in (*SMALL, *SCENES) for part in ("--set", change)]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "tuwen"]
    ended = subprocess.run(
        [sys.executable, *launch, "pretrain", "pretrain", "--out", str(tmp_path / "run"), *sets],
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Interrupted" not in ended.stdout
    assert ended.stdout.count("Report: ") == 1
    assert (tmp_path / "run" / "report.html").is_file()
