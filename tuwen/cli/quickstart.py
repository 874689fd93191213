"""`tuwen quickstart`: the main job, from nothing to a report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from tuwen.cli._options import Resume, Sets

PANEL = "Train"
PICTURE = "scene.png"

ASKED = {
    "tasks": {
        "caption": {"exact_match": 0.95},
        "vqa": {"accuracy": 0.97},
        "retrieve": {"image_to_text_r1": 0.95, "text_to_image_r1": 0.95},
        "classify": {"zero_shot_accuracy": 0.98},
    },
    "held_out": {
        "caption": {"exact_match": 0.75},
        "vqa": {"accuracy": 0.92},
        "retrieve": {"image_to_text_r1": 0.85, "text_to_image_r1": 0.85},
        "classify": {"zero_shot_accuracy": 0.90},
    },
}
"""What the quickstart is meant to reach on two cores with bf16 matrix units; shown beside what it did."""


def command(
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/quickstart"),
    sets: Sets = None,
    resume: Resume = False,
) -> None:
    """Train one model on drawn scenes in five minutes, measure it on unseen ones, and show what it does."""
    from tuwen.cli._training import program, train

    finished = train("quickstart", [], None, out, sets or [], resume, ASKED)
    picture = out / PICTURE
    _save_unseen_picture(finished.data.splits["test"][0].image, picture)  # type: ignore[index]
    shown = f"{shlex.quote(str(out))} {shlex.quote(str(picture))}"
    typer.echo("\nNow try / 接下来试试:")
    for line in (
        f"caption {shown}",
        f"caption {shown} --language zh",
        f'answer {shown} "How many objects are there?" "图中有几个物体？"',
        f'classify {shown} "a red circle" "a blue square" "a green star"',
    ):
        typer.echo(f"  {program()} {line}")
    typer.echo("\nWith your own pictures / 用你自己的图片:")
    typer.echo(f"  {program()} pretrain --data photos/ --captions captions.csv --out runs/mine")


def _save_unseen_picture(pixels: object, file: Path) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(file)  # type: ignore[arg-type]
