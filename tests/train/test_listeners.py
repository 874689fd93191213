"""What a person and a page get to see of a run."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.train.toy import settings, train
from tuwen.train.events import Listeners, StepReport
from tuwen.train.lines import SkippedList, add_lines, read_lines, rewind
from tuwen.train.listeners import LogFile, ProgressBar, TensorBoard, describe_losses, describe_speed

REPORT = StepReport(
    step=30,
    total=120,
    loss=1.75,
    losses={"contrastive": 0.5, "captioning": 1.25},
    parts={"contrastive/temperature": 0.07},
    learning_rate=1e-3,
    gradient_norm=0.9,
    samples_per_second=812.4,
    waiting=0.034,
    seconds=30.0,
    eta=90.0,
    epoch=0,
    skipped=2,
)
LINE = "  ".join([describe_speed(REPORT), *describe_losses(REPORT)])


def test_a_line_says_what_matters() -> None:
    assert LINE == "1:30 left  812 pairs/s  waiting 3%  contrastive 0.500  captioning 1.250"


def test_without_a_terminal_there_is_a_plain_line_now_and_then() -> None:
    out = io.StringIO()
    bar = ProgressBar(Console(file=out, force_terminal=False, width=40), every=1e12)
    bar.on_begin(0, 120)
    for step in (30, 60, 120):
        bar.on_step(replace(REPORT, step=step))
    bar.on_note("computing in fp32 [because]: 图文")
    bar.on_end()
    lines = out.getvalue().splitlines()
    assert lines == [
        f"step 30/120  {LINE}",
        f"step 120/120  {LINE}",
        "computing in fp32 [because]: 图文",
    ]


def test_on_a_terminal_there_is_a_bar() -> None:
    out = io.StringIO()
    bar = ProgressBar(Console(file=out, force_terminal=True, width=160, color_system=None))
    bar.on_begin(0, 100)
    bar.on_step(REPORT)
    bar.on_end()
    assert "step 30/120" in out.getvalue()
    assert "812 pairs/s" in out.getvalue()
    assert "captioning 1.250" in out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_bar_fits_the_terminal(width: int) -> None:
    out = io.StringIO()
    bar = ProgressBar(Console(file=out, force_terminal=True, width=width, color_system=None))
    bar.on_begin(0, 100)
    losses = dict.fromkeys(("contrastive", "captioning", "matching", "vqa"), 1.0)
    bar.on_step(replace(REPORT, losses=losses))
    bar.on_end()
    for text in ("step 30/120", "1:30 left  812 pairs/s  waiting 3%", *(f"{name} 1.000" for name in losses)):
        assert text in out.getvalue().replace("\n", " ")


def test_curves_for_tensorboard_go_on_after_a_resumption(tmp_path: Path) -> None:
    board = Listeners([TensorBoard(tmp_path / "board")])
    train(tmp_path / "run", settings(steps=10, log_every=2, save_every_steps=4, keep=3), listeners=[board])
    events = EventAccumulator(str(tmp_path / "board")).Reload()
    assert {"loss/total", "loss/tokens", "parts/mean/guess", "speed/pairs_per_second"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("loss/total")] == [2, 4, 6, 8, 10]
    again = TensorBoard(tmp_path / "board")
    again.on_begin(4, 10)
    again.on_step(replace(REPORT, step=6))
    again.on_end()
    events = EventAccumulator(str(tmp_path / "board")).Reload()
    assert [event.step for event in events.Scalars("loss/total")] == [2, 4, 6]


def test_the_log_is_a_line_a_report(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log.jsonl")
    log.on_step(REPORT)
    log.on_step(replace(REPORT, step=60))
    first, second = read_lines(tmp_path / "log.jsonl")
    assert first["losses"] == {"contrastive": 0.5, "captioning": 1.25}
    assert second["step"] == 60


def test_a_file_of_lines_survives_a_kill_and_is_rewound(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    rewind(file, 5)
    assert read_lines(file) == []
    add_lines(file, [{"step": step, "text": "图\u2028文"} for step in (1, 2, 3)])
    with file.open("a") as stream:
        stream.write('{"step": 4, "te')
    assert [line["step"] for line in read_lines(file)] == [1, 2, 3]
    rewind(file, 2)
    add_lines(file, [{"step": 3}])
    assert [json.loads(line)["step"] for line in file.read_text(encoding="utf-8").split("\n")[:-1]] == [1, 2, 3]
    assert read_lines(tmp_path / "none.jsonl") == []


def test_a_skipped_sample_is_listed_once(tmp_path: Path) -> None:
    file = tmp_path / "skipped.jsonl"
    skipped = SkippedList(file)
    skipped.add(3, (("a.jpg", "truncated"), ("图.png", "zero bytes")))
    skipped.add(9, (("a.jpg", "truncated"),))
    skipped.add(9, ())
    assert len(skipped) == 2
    assert [line["key"] for line in read_lines(file)] == ["a.jpg", "图.png"]
    assert len(SkippedList(file)) == 2
