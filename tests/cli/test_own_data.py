"""A user's own folder, from the command line to a model that answers: captions, classes, questions."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Said, table
from tuwen import load
from tuwen.tasks.caption import PROMPTS

Run = Callable[..., Said]
Make = Callable[..., Path]


def trained(tuwen: Run, small: list[str], folder: Path, run: Path, *more: str) -> Said:
    said = tuwen("pretrain", "--data", folder, "--out", run, *small, *more)
    assert said.status == 0, said.line
    return said


def recipe_of(run: Path) -> str:
    return (run / "recipe.yaml").read_text(encoding="utf-8")


def test_captions(tuwen: Run, small: list[str], captioned: Make, tmp_path: Path) -> None:
    folder, run = captioned(), tmp_path / "mine"
    said = trained(tuwen, small, folder, run, "--set", "data.validation=0.4")
    assert "the captions are in column 'caption' (guessed)" in said.line
    assert "Left out, because the training data has nothing for them: tasks.vqa, tasks.classify" in said.line
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["tasks"].keys() == {"retrieve", "caption"}
    assert (run / "report.html").stat().st_size > 10_000
    assert "classification" not in recipe_of(run)
    picture = str(folder / "0.png")
    assert tuwen("caption", run, picture, "--language", "zh").status == 0
    assert tuwen("classify", run, picture, "红色", "绿色").out.strip() in ("红色", "绿色")
    refused = tuwen("answer", run, picture, "what colour is it?")
    assert (refused.status, "not trained for the task vqa" in refused.line) == (1, True)


def test_a_model_that_learned_chinese_alone_is_asked_in_chinese(
    tuwen: Run, small: list[str], photos: Make, tmp_path: Path
) -> None:
    folder, run = photos(12), tmp_path / "mine"
    rows = [f"{number}.png,{number % 3}号图片" for number in range(12)]
    (folder / "captions.csv").write_text("\n".join(["image,caption", *rows]), encoding="utf-8")
    trained(tuwen, small, folder, run)
    assert json.loads((run / "vocabulary.json").read_text(encoding="utf-8"))["languages"] == ["zh"]
    model, asked = load(run), list[str]()

    def write(prompts: list[str], *_: object) -> list[str]:
        asked.extend(prompts)
        return prompts

    model.predictor.write = write  # type: ignore[assignment, method-assign]
    model.caption(folder / "0.png")
    model.caption(folder / "0.png", "en")
    assert asked == [PROMPTS["zh"], PROMPTS["en"]]


def test_classes(tuwen: Run, small: list[str], photos: Make, tmp_path: Path) -> None:
    folder, run = photos(12, classes=True), tmp_path / "mine"
    said = trained(tuwen, small, folder, run)
    assert "Left out of the model, because nothing else uses them: text, fusion, language, embedding" in said.line
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["tasks"].keys() == {"classify"}
    assert tuwen("classify", run, folder / "red" / "0.png").out.strip() in ("red", "green", "blue")
    refused = tuwen("classify", run, folder / "red" / "0.png", "a cat", "a dog")
    assert (refused.status, "no space to compare pictures and texts in" in refused.line) == (1, True)


def test_tags(tuwen: Run, small: list[str], photos: Make, tmp_path: Path) -> None:
    """Several classes a picture: they are learned once their column is named."""
    folder, run = photos(12), tmp_path / "mine"
    rows = [(f"{number}.png", f"{('红', '绿', '蓝')[number % 3]}、{('奇', '偶')[number % 2]}") for number in range(12)]
    table(folder, ("image", "关键词"), rows)
    said = trained(tuwen, small, folder, run, "--set", "data.tags_column=关键词", "--set", "train.steps=30")
    assert "tasks.tag" not in said.line
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["tasks"].keys() == {"tag"}
    assert json.loads((run / "vocabulary.json").read_text(encoding="utf-8"))["tags"] == ["偶", "奇", "红", "绿", "蓝"]
    given = [tuwen("tag", run, folder / f"{number}.png").out.split() for number in range(3)]
    assert given == load(run).tag([folder / f"{number}.png" for number in range(3)])
    assert any(given)


def test_questions(tuwen: Run, small: list[str], asked: Make, tmp_path: Path) -> None:
    folder, run = asked(), tmp_path / "mine"
    trained(tuwen, small, folder, run)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["tasks"].keys() == {"vqa"}
    assert "objectives:\n  captioning:" in recipe_of(run)
    assert tuwen("answer", run, folder / "0.png", "是什么颜色？", "what colour is it?").status == 0


def test_a_run_goes_on_from_its_folder_alone(tuwen: Run, small: list[str], captioned: Make, tmp_path: Path) -> None:
    run = tmp_path / "mine"
    trained(tuwen, small, captioned(), run)
    before = recipe_of(run)
    said = tuwen("pretrain", run, "--resume")
    assert said.status == 0, said.line
    assert "going on from step 2" in said.line
    assert recipe_of(run) == before


def test_evaluating_again_gives_the_same_figures(tuwen: Run, small: list[str], captioned: Make, tmp_path: Path) -> None:
    run = tmp_path / "mine"
    trained(tuwen, small, captioned(), run)
    before = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert tuwen("evaluate", run).status == 0
    after = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert after["tasks"] == before["tasks"]
    assert after["train_seconds"] == before["train_seconds"]


def test_broken_pictures_are_skipped_and_listed_wherever_they_stand(
    tuwen: Run, small: list[str], captioned: Make, tmp_path: Path
) -> None:
    folder, run = captioned(30), tmp_path / "mine"
    for number in (3, 4, 5, 6, 7):
        (folder / f"{number}.png").write_bytes(b"")
    said = trained(tuwen, small, folder, run, "--set", "train.steps=12", "--set", "data.validation=0.5")
    listed = [json.loads(line) for line in (run / "skipped.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {entry["key"] for entry in listed} == {f"{number}.png" for number in (3, 4, 5, 6, 7)}
    assert {entry["reason"] for entry in listed} == {"the file is empty (0 bytes)"}
    assert "5 samples could not be used" in said.line
    assert "that cannot be used" in said.line, "the evaluation met some"


@pytest.mark.parametrize("unneeded", ["tasks.retrieve=null", "objectives.contrastive=null"])
def test_what_the_user_takes_out_stays_out(
    tuwen: Run, small: list[str], captioned: Make, tmp_path: Path, unneeded: str
) -> None:
    run = tmp_path / "mine"
    trained(tuwen, small, captioned(), run, "--set", unneeded, "--set", "objectives.matching=null")
    assert "retrieve" not in json.loads((run / "metrics.json").read_text(encoding="utf-8"))["tasks"]


def test_a_trained_model_is_measured_on_other_data_all_of_it(
    tuwen: Run, small: list[str], photos: Make, tmp_path: Path
) -> None:
    folder, run, out = photos(12, classes=True), tmp_path / "mine", tmp_path / "new.json"
    trained(tuwen, small, folder, run)
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    new = tmp_path / "new"
    shutil.copytree(folder, new)
    (new / "green").rename(new / "Grün")
    (new / "red" / "0.png").write_bytes(b"no picture")
    said = tuwen("evaluate", run, "--data", new, "--out", out)
    assert said.status == 0, said.line
    assert "1 of 3 labels are none that the model knows, and count as missed: Grün; it knows blue, green" in said.line
    assert "1 samples cannot be used, and are left out: 0.png" in said.line.replace("red/", "")
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures["tasks"]["classify"]["count"] == 11
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before
    shutil.rmtree(folder)
    said = tuwen("evaluate", run, "--data", new, "--out", out)
    assert said.status == 0, said.line
    assert "what needs the training data is not measured" in said.line
    without = json.loads(out.read_text(encoding="utf-8"))["tasks"]
    assert without["classify"] == figures["tasks"]["classify"]


def test_other_data_is_measured_on_its_test_split(
    tuwen: Run, small: list[str], captioned: Make, tmp_path: Path
) -> None:
    folder, run, out = captioned(), tmp_path / "mine", tmp_path / "figures" / "new.json"
    trained(tuwen, small, folder, run, "--set", "data.validation=0.4")
    rows = list(csv.DictReader((folder / "captions.csv").read_text(encoding="utf-8").splitlines()))
    with (tmp_path / "new.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "part"])
        writer.writeheader()
        writer.writerows({**row, "part": "test" if number < 4 else "train"} for number, row in enumerate(rows))
    given = ["--data", folder, "--captions", tmp_path / "new.csv", "--out", out]
    assert tuwen("evaluate", run, *given, "--set", "data.split_column=part").status == 0
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures["tasks"]["caption"]["count"] == 4


def test_other_data_that_has_nothing_to_measure_is_refused(
    tuwen: Run, small: list[str], photos: Make, captioned: Make, tmp_path: Path
) -> None:
    folder, run = photos(12, folder="classes", classes=True), tmp_path / "mine"
    trained(tuwen, small, folder, run)
    texts = captioned()
    refused = tuwen("evaluate", run, "--data", texts)
    assert (refused.status, "nothing to measure the tasks of" in refused.line) == (1, True), refused.line
    refused = tuwen("evaluate", run, "--out", tmp_path / "new.json")
    assert (refused.status, "--out and --set belong to other data" in refused.line) == (1, True)
    for given, why in (
        (["--out", texts], "it is a folder; name a file"),
        (["--out", texts / "captions.csv" / "new.json"], "it cannot be written"),
        (["--set", "train.steps=3"], "only settings of data and evaluate count here"),
    ):
        refused = tuwen("evaluate", run, "--data", texts, *given)
        assert (refused.status, why in refused.line) == (1, True), refused.line
