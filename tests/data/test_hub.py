"""Data sets of the `datasets` library."""

import io
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest
from PIL import Image

from tuwen.core.errors import DataError
from tuwen.core.sample import Caption, Source
from tuwen.data import NotedSplits

Build = Callable[..., NotedSplits]


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


def make(count: int, start: int = 0) -> datasets.Dataset:
    columns = {
        "image": [{"bytes": png(start + n), "path": None} for n in range(count)],
        "text": [{"en": f"number {n}", "zh": f"第{n}号"} for n in range(count)],
        "label": [n % 2 for n in range(count)],
    }
    found = datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image())
    return found.cast_column("label", datasets.ClassLabel(names=["cat", "dog"]))


@pytest.fixture(autouse=True)
def _quiet() -> None:
    datasets.disable_progress_bars()


def source(splits: NotedSplits, name: str) -> Source:
    found = splits[name]
    assert isinstance(found, Source)
    return found


def test_a_saved_data_set(build: Build, tmp_path: Path) -> None:
    make(60).shuffle(seed=1).save_to_disk(tmp_path / "saved")
    splits = build("hub", name=str(tmp_path / "saved"))
    train, validation = source(splits, "train"), source(splits, "validation")
    assert len(train) + len(validation) == 60
    assert 1 <= len(validation) < 20
    assert splits.labels == ("cat", "dog")
    found = [train[number] for number in range(len(train))] + [validation[number] for number in range(len(validation))]
    for sample in found:
        assert isinstance(sample.image, bytes)
        shade = Image.open(io.BytesIO(sample.image)).getpixel((0, 0))
        assert isinstance(shade, tuple)
        number = int(shade[0])
        assert sample.captions == (Caption(f"number {number}", "en"), Caption(f"第{number}号", "zh"))
        assert sample.label == ("cat", "dog")[number % 2]
    assert len({sample.key for sample in found}) == 60
    assert any("guessed" in note for note in splits.notes)


def test_its_splits_are_kept(build: Build, tmp_path: Path) -> None:
    parts = {"train": make(6), "dev": make(3), "test": make(2), "extra": make(2)}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    splits = build("hub", name=str(tmp_path / "saved"))
    assert {name: len(source(splits, name)) for name in splits} == {"train": 6, "validation": 3, "test": 2}
    assert any("extra are not used" in note for note in splits.notes)
    more = build("hub", name=str(tmp_path / "saved"), caption_columns=["text.zh"])
    assert source(more, "train")[0].captions == (Caption("第0号", "zh"),)


def test_one_split_of_any_name_is_split_further(build: Build, tmp_path: Path) -> None:
    datasets.DatasetDict({"everything": make(60)}).save_to_disk(tmp_path / "saved")
    assert list(build("hub", name=str(tmp_path / "saved"))) == ["train", "validation"]


def test_no_split_for_training(build: Build, tmp_path: Path) -> None:
    datasets.DatasetDict({"test": make(6), "extra": make(3)}).save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError, match="none is for training"):
        build("hub", name=str(tmp_path / "saved"))


def test_captions_in_lists_and_a_missing_picture(build: Build, tmp_path: Path) -> None:
    columns = {"image": [{"bytes": png(1), "path": None}, None], "captions": [["one", "two"], ["three"]]}
    features = datasets.Features({"image": datasets.Image(), "captions": datasets.List(datasets.Value("string"))})
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(tmp_path / "saved")
    train = source(build("hub", name=str(tmp_path / "saved"), validation=0), "train")
    assert [caption.text for caption in train[0].captions] == ["one", "two"]
    with pytest.raises(Exception, match=r"row 1: it has no picture"):
        train[1]


def test_not_a_saved_data_set(build: Build, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a data set that `save_to_disk`.*`kind: folder`"):
        build("hub", name=str(tmp_path))
    (tmp_path / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        build("hub", name=str(tmp_path))


def test_without_the_network(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"nobody/nothing: the data set cannot be loaded from the hub.*save_to_disk"):
        build("hub", name="nobody/nothing")
