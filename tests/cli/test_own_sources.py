"""Every kind of data that `--data` takes, from the command line to a trained model."""

import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import Said, refused

Run = Callable[..., Said]
Make = Callable[..., Path]

COUNT = 12
HELD_OUT = ("--set", "data.validation=0.4")
TEXTS = {f"{number}.png": (f"picture number {number}", f"第{number}张图片") for number in range(COUNT)}


def tables(place: Path) -> Mapping[str, Path]:
    """The same table in every form, named by its columns in one language or the other."""
    rows = [(name, *texts) for name, texts in TEXTS.items()]
    english, chinese = ("file", "caption_en", "caption_zh"), ("图片", "英文描述", "中文描述")

    def delimited(separator: str, header: Sequence[str]) -> str:
        return "".join(separator.join(cells) + "\n" for cells in [header, *rows])

    records = [{"image": name, "captions": list(texts)} for name, texts in TEXTS.items()]
    texts = {
        "a.csv": delimited(",", english),
        "中文.csv": delimited(",", chinese),
        "a.tsv": delimited("\t", chinese),
        "a.jsonl": "\n".join(json.dumps(record) for record in records),
        "a.json": json.dumps(records),
    }
    for name, text in texts.items():
        (place / name).write_text(text, encoding="utf-8")
    pq.write_table(
        pa.table({"图片": [row[0] for row in rows], "标题": [list(row[1:]) for row in rows]}), place / "a.parquet"
    )
    return {name: place / name for name in [*texts, "a.parquet"]}


def trained(tuwen: Run, small: list[str], run: Path, *words: object) -> Said:
    said = tuwen("pretrain", *words, "--out", run, *small)
    assert said.status == 0, said.line
    return said


def tasks_of(run: Path) -> set[str]:
    return set(json.loads((run / "metrics.json").read_text(encoding="utf-8")).get("tasks", {}))


def looked_at(tuwen: Run, small: list[str], out: Path, *words: object) -> dict[str, int]:
    """How many training texts the pre-flight counts in each language."""
    said = tuwen("data", "check", *words, "--out", out, *small, "--set", "data.validation=0")
    assert said.status == 0, said.line
    split = json.loads((out / "check.json").read_text(encoding="utf-8"))["splits"]["train"]
    return {language: found["texts"] for language, found in split["texts"]["languages"].items()}


@pytest.mark.parametrize("name", ["a.csv", "中文.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet"])
def test_a_table_of_every_kind_in_both_languages(
    tuwen: Run, small: list[str], photos: Make, tmp_path: Path, name: str
) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    words = ("--data", photos(COUNT), "--captions", tables(texts)[name])
    said = trained(tuwen, small, tmp_path / "run", *words)
    assert f"{name}: the pictures are in column" in said.line
    assert f"{name}: the captions are in column" in said.line
    assert looked_at(tuwen, small, tmp_path / "check", *words) == {"en": COUNT, "zh": COUNT}


def test_text_files_beside_the_pictures(tuwen: Run, small: list[str], photos: Make, tmp_path: Path) -> None:
    folder = photos(COUNT)
    for name, texts in TEXTS.items():
        (folder / name).with_suffix(".txt").write_text("\n".join(texts), encoding="utf-8")
    said = trained(tuwen, small, tmp_path / "run", "--data", folder, *HELD_OUT)
    assert "The captions are read from the text file beside each picture" in said.line
    assert tasks_of(tmp_path / "run") == {"retrieve", "caption"}
    assert looked_at(tuwen, small, tmp_path / "check", "--data", folder) == {"en": COUNT, "zh": COUNT}


def test_classes_told_in_a_sentence(tuwen: Run, small: list[str], photos: Make, tmp_path: Path) -> None:
    folder, run = photos(COUNT, classes=True), tmp_path / "run"
    sentences = ("--set", "data.templates={en: 'a photo of a {}', zh: '一张{}的照片'}")
    said = trained(tuwen, small, run, "--data", folder, *sentences, *HELD_OUT)
    assert "The classes are the names of 3 subfolders: blue, green, red." in said.line
    assert tasks_of(run) == {"retrieve", "caption", "classify"}
    assert tuwen("classify", run, folder / "red" / "0.png").out.strip() in ("red", "green", "blue")


@pytest.fixture
def saved(photos: Make, tmp_path: Path) -> Path:
    """A data set of the `datasets` library, saved on disk, with its pictures inside."""
    datasets.disable_progress_bars()
    folder = photos(COUNT)
    pictures = [{"bytes": (folder / name).read_bytes(), "path": None} for name in TEXTS]
    columns = {"image": pictures, "en": [en for en, _ in TEXTS.values()], "zh": [zh for _, zh in TEXTS.values()]}
    datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image()).save_to_disk(tmp_path / "saved")
    return tmp_path / "saved"


def test_a_saved_data_set(tuwen: Run, small: list[str], saved: Path, tmp_path: Path) -> None:
    said = trained(tuwen, small, tmp_path / "run", "--data", saved)
    assert "the captions are in columns 'en', 'zh' (guessed)" in said.line
    assert looked_at(tuwen, small, tmp_path / "check", "--data", saved) == {"en": COUNT, "zh": COUNT}


@pytest.fixture
def tars(photos: Make, tmp_path: Path) -> Path:
    """Four WebDataset tars: a picture, a text in English, and one in Chinese inside JSON."""
    folder, place = photos(COUNT), tmp_path / "shards"
    place.mkdir()
    for number, (name, (english, chinese)) in enumerate(TEXTS.items()):
        with tarfile.open(place / f"{'ab'[number % 2]}-{number % 4}.tar", "a") as archive:
            caption = json.dumps({"caption_zh": chinese}).encode()
            for ending, content in (
                ("png", (folder / name).read_bytes()),
                ("txt", english.encode()),
                ("json", caption),
            ):
                info = tarfile.TarInfo(f"{number:04}.{ending}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return place


@pytest.mark.parametrize("workers", [0, 2])
def test_tars_of_several_globs_are_streamed(
    tuwen: Run, small: list[str], tars: Path, tmp_path: Path, workers: int
) -> None:
    run, globs = tmp_path / "run", ("--data", tars / "a-*.tar", "--data", tars / "b-{1,3}.tar")
    said = trained(tuwen, small, run, *globs, "--set", f"train.workers={workers}")
    assert "train: 4 tars." in said.line
    assert "nothing is measured: the data has no split beside train" in said.line
    assert "Figure" not in said.line
    assert tasks_of(run) == set()
    picture = next((tmp_path / "photos").glob("*.png"))
    assert tuwen("caption", run, picture).status == 0


def test_tars_to_measure_on(tuwen: Run, small: list[str], tars: Path, tmp_path: Path) -> None:
    held = ("--set", f"data.validation=[{tars / 'b-*.tar'}]")
    said = trained(tuwen, small, tmp_path / "run", "--data", tars / "a-*.tar", *held)
    assert "train: 2 tars; validation: 2 tars." in said.line
    assert f"evaluated {COUNT // 2} samples of validation" in said.line
    assert tasks_of(tmp_path / "run") == {"retrieve", "caption"}


def test_a_stream_goes_on_where_it_was(tuwen: Run, small: list[str], tars: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    trained(tuwen, small, run, "--data", tars)
    before = (run / "model.safetensors").read_bytes()
    said = tuwen("pretrain", run, "--resume")
    assert (said.status, "going on from step 2" in said.line) == (0, True), said.line
    assert (run / "model.safetensors").read_bytes() == before


def test_a_stream_has_no_epochs(tuwen: Run, small: list[str], tars: Path, tmp_path: Path) -> None:
    epochs = ("--set", "train.steps=null", "--set", "train.epochs=1")
    said = tuwen("pretrain", "--data", tars, "--out", tmp_path / "run", *small, *epochs)
    refused(said, "a stream does not know how long an epoch is", "train.steps or train.minutes")


def test_several_kinds_are_mixed(tuwen: Run, small: list[str], saved: Path, tars: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "captions.csv").write_text(
        "图片,描述\n" + "".join(f"{name},{texts[1]}\n" for name, texts in TEXTS.items()), encoding="utf-8"
    )
    words = ("--data", folder, "--data", saved)
    said = trained(tuwen, small, tmp_path / "run", *words)
    assert "photos: captions.csv: the captions are in column '描述' (guessed)" in said.line
    assert f"saved: {saved}: the captions are in columns 'en', 'zh' (guessed)" in said.line
    streamed = (*words, "--data", tars / "*.tar")
    refused(tuwen("pretrain", *streamed, *small), "the size of shards is not known", "`even`")
    trained(tuwen, small, tmp_path / "streamed", *streamed, "--set", "data.weights=even")
    trained(tuwen, small, tmp_path / "weighted", *streamed, "--set", "data.weights={photos: 2, saved: 1, shards: 3}")
