"""What fine-tuning took away, as it is written down and shown; by hand."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.report.conftest import make_run
from tuwen.core.errors import DataError
from tuwen.report.forgetting import Forgetting, Mixed, Moment, forgetting_table, headline_shares, mixed_table
from tuwen.report.page import write_report

R1, ZERO = "retrieve.text_to_image_r1", "classify.zero_shot_accuracy"
LEARNED = "classify.accuracy"
FOUND = Forgetting(
    path=(Moment(0, {R1: 0.8, ZERO: 0.6}), Moment(50, {R1: 0.5, ZERO: 0.4}), Moment(100, {R1: 0.3, ZERO: 0.62})),
    curve=tuple(Mixed(a, {R1: 0.8 - a / 2, ZERO: 0.6}, {LEARNED: 0.5 + a / 3}) for a in (0.0, 0.5, 1.0)),
    alpha=0.5,
    confirmed=tuple(Mixed(a, {R1: 0.7 - a / 2, ZERO: 0.6}, {LEARNED: 0.5 + a / 4}) for a in (0.0, 0.5, 1.0)),
)


def shown(table: object) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    console.print(table)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_the_loss_is_before_minus_after() -> None:
    assert FOUND.lost == pytest.approx({R1: 0.5, ZERO: -0.02})
    assert FOUND.curve[1].score == pytest.approx(((0.55 + 0.6) / 2 + 2 / 3) / 2)


def test_the_summary() -> None:
    means = {"kept_before": 0.7, "kept_after": 0.46, "alpha": 0.5, "kept_at_alpha": 0.525, "learned_at_alpha": 0.625}
    assert FOUND.summary() == pytest.approx(means | {"kept_at_1": 0.4, "learned_at_1": 0.75})
    assert Forgetting(FOUND.path).summary().keys() == {"kept_before", "kept_after"}


def test_the_tables() -> None:
    assert shown(forgetting_table(FOUND)) == [
        "Kept before after change",
        "Retrieval: Text → picture, R@1 80.0 % 30.0 % -50.0",
        "Classification: Zero-shot accuracy 60.0 % 62.0 % +2.0",
    ]
    assert shown(mixed_table(FOUND, "zh")) == [
        "两者之间的权重 alpha 0 alpha 0.5 alpha 1",
        "图文检索: 以文搜图，R@1 70.0 % 45.0 % 20.0 %",
        "图像分类: 零样本准确率 60.0 % 60.0 % 60.0 %",
        "图像分类: 准确率 50.0 % 62.5 % 75.0 %",
    ]


def test_what_is_saved_is_read_and_stands_on_the_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    FOUND.save(run)
    assert Forgetting.load(run) == FOUND
    assert (run / "forgetting.png").stat().st_size > 5000
    page = write_report(run).read_text(encoding="utf-8")
    section = page.partition('<section id="forgetting">')[2].partition("</section>")[0]
    for words in ("80.0 %", "30.0 %", "-50.0", "+2.0", "α = 0.5", "62.5 %", "data:image/png;base64,"):
        assert words in section
    replace(FOUND, curve=(), alpha=None, confirmed=()).save(run)
    assert "α =" not in write_report(run).read_text(encoding="utf-8")
    (run / "forgetting.json").write_text("{")
    with pytest.raises(DataError, match=r"forgetting.json cannot be read"):
        write_report(run)


def test_only_headline_shares_are_guarded() -> None:
    figures = {
        "retrieve": {"text_to_image_r1": 0.5, "text_to_image_r5": 0.9, "candidates": 10},
        "lm": {"perplexity": 3},
    }
    assert headline_shares(figures) == {R1: 0.5}
