import json
import math

import pytest

from tuwen.core.errors import DataError
from tuwen.report.log import read_log


def write(folder, *entries, tail=""):
    (folder / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries) + tail)
    return folder


def test_curves_by_name_in_the_order_logged(tmp_path):
    log = read_log(
        write(
            tmp_path,
            {"step": 10, "loss": 5, "losses": {"vqa": 3, "captioning": 2}, "learning_rate": 0.1, "waiting": 0.5,
             "samples_per_second": 7, "gradient_norm": 1, "parts": {"vqa/accuracy": 0.25}, "eta": 3},
            {"step": 20, "loss": 3, "losses": {"vqa": 1, "captioning": 2}, "waiting": 0.1},
        )
    )  # fmt: skip
    assert list(log.main) == ["loss", "vqa", "captioning", "learning_rate", "samples_per_second", "waiting"]
    assert log.main["vqa"] == [(10, 3), (20, 1)]
    assert log.main["learning_rate"] == [(10, 0.1)]
    assert log.more == {"gradient_norm": [(10, 1)], "vqa/accuracy": [(10, 0.25)]}
    assert log.steps == 20
    assert log.waiting == pytest.approx(0.3)


def test_the_sum_of_a_single_loss_is_left_out(tmp_path):
    assert list(read_log(write(tmp_path, {"step": 1, "loss": 2, "losses": {"vqa": 2}})).main) == ["vqa"]


def test_a_killed_and_resumed_run(tmp_path):
    log = read_log(
        write(
            tmp_path,
            {"step": 10, "loss": 3},
            {"step": 20, "loss": 2.5},
            {"step": 20, "loss": 2.4},
            {"step": 30, "loss": math.nan},
            tail='{"step": 40, "lo',
        )
    )
    assert log.main["loss"][:2] == [(10, 3), (20, 2.4)]
    assert math.isnan(log.main["loss"][2][1])
    assert len(log.main["loss"]) == 3


def test_no_log_no_curves(tmp_path):
    log = read_log(tmp_path)
    assert (log.main, log.more, log.steps, log.waiting) == ({}, {}, 0, None)


@pytest.mark.parametrize("line", ["{", "[1]", '{"loss": 1}', '{"step": "ten"}'])
def test_a_broken_line_is_named(tmp_path, line):
    (tmp_path / "log.jsonl").write_text(f'{{"step": 1}}\n{line}\n')
    with pytest.raises(DataError, match=r"log\.jsonl, line 2: .* remove the line"):
        read_log(tmp_path)
