"""Language models from text files, from the files to the figures, in English and Chinese."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tuwen
from tuwen.cli.app import build_app

ENGLISH = "To be, or not to be: that is the question.\nWhether 'tis nobler in the mind to suffer\n" * 20
CHINESE = "床前明月光，疑是地上霜。\n舉頭望明月，低頭思故鄉。\n\n白日依山盡，黃河入海流。\n\n" * 20
SHORT = ("train.minutes=null", "train.steps=3", "train.batch_size=4", "train.precision=fp32", "data.window=40")
SMALL = {
    "language": ("model.language.width=32", "model.language.depth=1", "tokenizer.max_length=48", "data.stride=null"),
    "masked_language": ("model.text.width=36", "model.text.depth=1", "tokenizer.max_length=48"),
}


@pytest.mark.parametrize(
    ("recipe", "text", "figures"),
    [
        ("language", ENGLISH, {"nats_per_character", "perplexity"}),
        ("language", CHINESE, {"nats_per_character", "perplexity"}),
        ("masked_language", CHINESE, {"masked_accuracy", "masked_perplexity"}),
    ],
)
def test_a_text_file_becomes_a_model(tmp_path: Path, recipe: str, text: str, figures: set[str]) -> None:
    (tmp_path / "book.txt").write_text(text, encoding="utf-8")
    sets = [word for setting in (*SHORT, *SMALL[recipe]) for word in ("--set", setting)]
    run = tmp_path / "run"
    done = CliRunner().invoke(
        build_app(), ["pretrain", recipe, "--data", str(tmp_path / "book.txt"), "--out", str(run), *sets]
    )
    assert done.exit_code == 0, done.output
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    found = next(iter(metrics["tasks"].values()))
    assert figures <= found.keys()
    assert (run / "report.html").exists()
    assert tuwen.load(run).system.tokenizer.encode(text[:20])
