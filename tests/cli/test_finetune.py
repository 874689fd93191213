"""`tuwen finetune`: from a trained run to a run of one task, and what is refused before training."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.cli.conftest import Said, table
from tuwen.cli.finetune import Task, _beside
from tuwen.recipe.finetune import finetune_recipe

Run = Callable[..., Said]
Make = Callable[..., Path]

SHORT = (
    "train.steps=2",
    "train.batch_size=4",
    "train.precision=fp32",
    "evaluate.samples=6",
    "data.train_scenes=60",
    "data.test_scenes=8",
)
QUICK = [word for setting in SHORT[:4] for word in ("--set", setting)]
SCENES = [word for setting in SHORT for word in ("--set", setting)]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def changed(before: Path, after: Path) -> set[str]:
    """The weights of both models that are not the same in both."""
    old, new = weights(before), weights(after)
    return {name for name in old.keys() & new.keys() if not torch.equal(old[name], new[name])}


def test_classes_are_learned_whole(tuwen: Run, photos: Make, tiny_run: Path, tmp_path: Path) -> None:
    folder, run = photos(12, classes=True), tmp_path / "fine"
    said = tuwen("finetune", tiny_run, "--task", "classify", "--data", folder, "--out", run, *QUICK)
    assert said.status == 0, said.line
    assert "New: heads.label." in said.line
    assert "heads.label begins as the zero-shot classifier" in said.line
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    before = json.loads((tiny_run / "metrics.json").read_text(encoding="utf-8"))
    assert metrics.keys() >= before.keys() - {"held_out"}
    assert metrics["tasks"]["classify"].keys() >= {"accuracy", "floor", "macro_f1"}
    assert (run / "report.html").stat().st_size > 10_000
    assert (run / "tokenizer.json").read_bytes() == (tiny_run / "tokenizer.json").read_bytes()
    assert (run / "preprocessing.json").read_bytes() == (tiny_run / "preprocessing.json").read_bytes()
    assert weights(run)["heads.label.0.weight"].shape[0] == 3
    assert any(name.startswith("image_tower") for name in changed(tiny_run, run))
    assert tuwen("classify", run, folder / "red" / "0.png").out.strip() in ("red", "green", "blue")


def test_the_head_alone_learns(tuwen: Run, photos: Make, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "fine"
    words = ("--task", "classify", "--data", photos(12, classes=True), "--only", "head", "--out", run)
    assert tuwen("finetune", tiny_run, *words, *QUICK).status == 0
    assert not changed(tiny_run, run)


def test_adapters_learn_in_place_of_the_towers(tuwen: Run, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "fine"
    said = tuwen("finetune", tiny_run, "--task", "retrieve", "--lora", "2", "--out", run, *SCENES)
    assert said.status == 0, said.line
    assert "no adapters for image, which stays as it is: no linear layer there can have one" in said.out
    assert weights(run).keys() <= weights(tiny_run).keys(), "what adapters learned is part of the weights"
    parts = {name.partition(".")[0] for name in changed(tiny_run, run)}
    assert "text_tower" in parts
    assert "image_tower" not in parts, "a CNN has no linear layer"
    assert tuwen("classify", run, tmp_path / "none.png", "a", "b").status == 1


def test_questions_in_words_and_by_a_head(tuwen: Run, asked: Make, tiny_run: Path, tmp_path: Path) -> None:
    folder, picture = asked(), tmp_path / "photos" / "0.png"
    for name in ("words", "head"):
        run, by = tmp_path / name, ("--set", f"tasks.vqa.by={name}")
        said = tuwen("finetune", tiny_run, "--task", "vqa", "--data", folder, "--out", run, *QUICK, *by)
        assert said.status == 0, said.line
        assert "accuracy" in json.loads((run / "metrics.json").read_text(encoding="utf-8"))["tasks"]["vqa"]
        assert tuwen("answer", run, picture, "what colour is it?").status == 0
    last = [tensor for name, tensor in weights(tmp_path / "head").items() if name.startswith("heads.answer.")][-1]
    assert last.shape[0] == 6, "three colours in two languages"


@pytest.mark.parametrize("task", ["caption", "retrieve"])
def test_captions_and_retrieval(tuwen: Run, captioned: Make, tiny_run: Path, tmp_path: Path, task: str) -> None:
    run = tmp_path / "fine"
    words = ("--data", captioned(), "--out", run, "--set", "data.validation=0.4")
    said = tuwen("finetune", tiny_run, "--task", task, *words, *QUICK)
    assert said.status == 0, said.line
    assert json.loads((run / "metrics.json").read_text(encoding="utf-8"))["tasks"].keys() == {task}


def test_a_fine_tuned_run_is_gone_on_with(tuwen: Run, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "fine"
    words = ("finetune", tiny_run, "--task", "retrieve", "--out", run)
    assert tuwen(*words, *SCENES).status == 0
    said = tuwen(*words, "--resume", "--set", "train.steps=3")
    assert (said.status, "going on from step 2" in said.line) == (0, True), said.line
    refused = tuwen(*words, *SCENES)
    assert (refused.status, "holds a run already" in refused.line) == (1, True)


def test_going_on_takes_no_options_that_would_change_the_run(tuwen: Run, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "fine"
    settings = finetune_recipe(tiny_run, "classify", sets=SHORT).to_yaml(origins=False)
    run.mkdir()
    (run / "recipe.yaml").write_text(settings, encoding="utf-8")
    for before, words, message in (
        (tiny_run, ["--task", "classify", "--only", "head", "--data", "nowhere"], "leave --data, --only out"),
        (tiny_run, ["--task", "classify", "--lora", "4", "--no-guard"], "leave --lora, --no-guard out"),
        (tiny_run, ["--task", "vqa"], "it learns classify, not --task vqa"),
        (tmp_path, ["--task", "classify"], f"it started from {tiny_run}, not from {tmp_path}"),
    ):
        said = tuwen("finetune", before, *words, "--out", run, "--resume")
        assert (said.status, message in said.line) == (1, True), said.line
        assert f"tuwen pretrain {run} --resume" in said.line


@pytest.mark.parametrize(
    ("inside", "run"), [("", "mine"), ("", "mine/sub/.."), ("mine", "."), ("mine", "../mine"), ("mine/sub", "..")]
)
def test_the_new_run_lies_beside_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str, run: str
) -> None:
    (tmp_path / "mine" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / inside)
    assert _beside(Path(run), Task.classify).resolve() == tmp_path.resolve() / "mine-classify"
    assert _beside(Path("mine"), Task.classify) == Path("mine-classify"), "as short as the run was named"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--task", "caption", "--set", "model.language=null"],
            "--task caption needs model.language, and the model in",
        ),
        (["--task", "retrieve", "--set", "model.embedding=null"], "has only: image, text, fusion, language"),
        (
            ["--task", "caption", "--only", "head"],
            "--only head: the language model answers, there is no head; choose of",
        ),
        (["--task", "classify", "--only", "hed"], "--only hed: this model has no such part; it has head, image"),
        (["--task", "classify", "--only", "head", "--lora", "4"], "--only and --lora: say one of them"),
        (["--task", "retrieve", "--set", "model.text.depth=3"], "start: model.text is not the one in"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(
    tuwen: Run, tiny_run: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    said = tuwen("finetune", tiny_run, *words, "--out", tmp_path / "fine", *SCENES)
    assert (said.status, message in said.line) == (1, True), said.line
    assert not (tmp_path / "fine" / "checkpoints").exists()


def test_data_without_what_the_task_needs_is_refused(
    tuwen: Run, tiny_run: Path, captioned: Make, tmp_path: Path
) -> None:
    said = tuwen("finetune", tiny_run, "--task", "classify", "--data", captioned(), "--out", tmp_path / "fine", *QUICK)
    assert (said.status, "no training sample has a label" in said.line) == (1, True), said.line
    assert "have captions. Name the columns of the data that have it (--set data.label_column=COLUMN)" in said.line
    assert "null" not in said.line, "to take out the task that was asked for helps nobody"


def test_a_label_that_training_never_sees_is_refused(tuwen: Run, tiny_run: Path, photos: Make, tmp_path: Path) -> None:
    rows = [(f"{number}.png", "cat" if number % 2 else "dog", "train") for number in range(8)]
    folder = table(photos(10), ("image", "label", "split"), [*rows, ("8.png", "cat", "test"), ("9.png", "fox", "test")])
    said = tuwen("finetune", tiny_run, "--task", "classify", "--data", folder, "--out", tmp_path / "fine", *QUICK)
    assert said.status == 1
    assert "9.png in the split 'test' has the label 'fox', which no training sample has" in said.line


def test_a_folder_without_a_model_is_refused(tuwen: Run, tmp_path: Path) -> None:
    said = tuwen("finetune", tmp_path, "--task", "classify")
    assert (said.status, "not the folder of a run" in said.line) == (1, True), said.line


def test_a_word_that_is_no_task_is_a_wrong_call(tuwen: Run, tiny_run: Path) -> None:
    said = tuwen("finetune", tiny_run, "--task", "sing")
    assert (said.status, "'sing' is not one of 'classify'" in said.line) == (2, True), said.line
