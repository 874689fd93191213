import io
import json

from rich.console import Console

from tuwen.report.tables import metrics_table


def printed(table):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table)
    return [" ".join(line.split()) for line in console.export_text().splitlines()]


def test_headline_figures_with_floor_and_verdict(run_folder):
    lines = printed(metrics_table(json.loads((run_folder / "metrics.json").read_text())))
    assert lines[0] == "Figure Unseen Held out Floor Asked"
    assert "Exact match 96.6 % ✓ 74.1 % ✗ blind image 0.4 % / 0.1 % 95.0 % / 75.0 %" in lines
    assert "Picture → text, R@1 97.1 % ✓ 88.2 % ✓ chance 0.1 % 95.0 % / 85.0 %" in lines
    assert not any("CIDEr" in line for line in lines)


def test_every_figure_in_chinese(run_folder):
    lines = printed(metrics_table(json.loads((run_folder / "metrics.json").read_text()), language="zh", every=True))
    assert lines[0] == "指标 未见样本 留出组合 基线 要求"
    assert "看图说话" in lines
    assert "CIDEr-D 9.71 8.02" in lines


def test_a_figure_that_one_split_lacks():
    metrics = {"tasks": {"vqa": {"accuracy": 0.5}}, "held_out": {"caption": {"exact_match": 1}}}
    lines = printed(metrics_table(metrics))
    assert "Accuracy 50.0 % –" in lines
    assert "Exact match – 100.0 %" in lines
