"""How the pictures of a folder are found, held and handed on; many of them, and real ones."""

import csv
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.folders import Build, Pictures, samples, table
from tuwen.core.errors import DataError, SampleError
from tuwen.core.sample import Caption, Source
from tuwen.prep.images import ImageConfig, ImagePrep

# Pictures


@pytest.mark.parametrize(
    ("files", "names", "note"),
    [
        (["a.jpg", "b.jpg"], ["a", "b"], "lack their ending, .jpg"),
        (["a.png"], [r"images\a.png"], "only the last part"),
        (["a.png"], ["/home/else/where/a.png"], "only the last part"),
        (["img/a.png", "img/b.png"], ["a.png", "b.png"], "looked for in"),
        (["train2014/a.png", "val2014/b.png"], ["a.png", "b.png"], "looked for in"),
        (["sub/a.png"], [r"sub\a.png"], None),
        (["a.png"], ["a.png#0"], None),
        (["x/1.png", "y/1.png"], ["/home/u/x/1.png", "/home/u/y/1.png"], "before x/1.png and the like"),
        (["x/1.png", "y/2.png"], ["/home/u/x/1", "/home/u/y/2"], "lack their ending"),
        (["a.png", "b.png"], ["one/a.png", "one/two/b.png"], "only the last part"),
        (["a.png", "b.png", "small/a.png", "small/b.png"], ["a.png", "b.png"], None),
        (["图 片/狗 1.png"], ["图 片/狗 1.png"], None),
    ],
)
def test_how_pictures_may_be_named(
    build: Build, pictures: Pictures, files: list[str], names: list[str], note: str | None
) -> None:
    folder = table(pictures(*files), "image,caption\n" + "".join(f"{name},text\n" for name in names))
    splits = build("folder", path=folder, validation=0, image_column="image")
    assert [sample.image for sample in samples(splits["train"])] == [folder / file for file in files[: len(names)]]
    said = [text for text in splits.notes if "looked for" in text or "of the paths" in text or "ending" in text]
    assert (note is None and not said) or (note is not None and note in said[0])


def test_names_from_the_folder_of_the_table(build: Build, pictures: Pictures, tmp_path: Path) -> None:
    pictures("a.png")
    table(tmp_path, "image,caption\nphotos/a.png,x\n", "texts.csv")
    splits = build("folder", path=tmp_path / "photos", captions=str(tmp_path / "texts.csv"))
    assert samples(splits["train"])[0].image == tmp_path / "photos" / "a.png"


def test_absolute_paths(build: Build, pictures: Pictures, tmp_path: Path) -> None:
    folder = pictures("a.png")
    other = tmp_path / "texts"
    other.mkdir()
    table(other, f"image,caption\n{folder / 'a.png'},x\n")
    assert samples(build("folder", path=other)["train"])[0].image == folder / "a.png"


def test_a_missing_picture_is_named_with_its_line(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), "image,caption\na.jpg,x\n\ngone.jpg,y\n")
    splits = build("folder", path=folder, validation=0)
    source = splits["train"]
    assert isinstance(source, Source)
    with pytest.raises(SampleError) as caught:
        source[1]
    assert caught.value.key == "gone.jpg"
    assert caught.value.reason == f"no such picture: {folder / 'gone.jpg'} (captions.csv line 4)"
    assert any("of 2 pictures looked for, 1 are not there" in note for note in splits.notes)


def test_no_picture_is_there(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), "image,caption\nx/b.jpg,x\n")
    with pytest.raises(DataError, match=r"none of 1 pictures looked for is there; the first was .*x/b\.jpg"):
        build("folder", path=folder)


def test_addresses_are_not_downloaded(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("a.jpg"), "image,caption\nhttps://example.org/b.jpg,x\n")
    with pytest.raises(DataError, match="nothing is downloaded in training"):
        build("folder", path=folder)


def test_a_split_without_a_picture_does_not_take_another_splits(build: Build, pictures: Pictures) -> None:
    for layout in ("{}/metadata.csv", "{}.csv"):
        folder = pictures("train/0.png", "train/1.png", "test/0.png", folder=f"photos {layout[-5]}")
        for split in ("train", "test"):
            table(folder, f"image,caption\n0.png,{split}\n1.png,{split}\n", layout.format(split))
        splits = build("folder", path=folder)
        assert [sample.image for sample in samples(splits["train"])] == [folder / "train/0.png", folder / "train/1.png"]
        test = splits["test"]
        assert isinstance(test, Source)
        assert test[0].image == folder / "test/0.png"
        with pytest.raises(SampleError, match=r"no such picture: .*test/1\.png"):
            test[1]


def test_pictures_of_a_split_may_lie_with_all_others(build: Build, pictures: Pictures) -> None:
    folder = pictures("images/a.png", "images/b.png")
    for split, name in (("train", "a"), ("test", "b")):
        (folder / split).mkdir()
        table(folder / split, f"image,caption\n{name}.png,x\n")
    splits = build("folder", path=folder)
    assert [samples(splits[split])[0].image for split in splits] == [folder / "images/a.png", folder / "images/b.png"]


def test_a_name_that_fits_several_pictures_means_none(build: Build, pictures: Pictures) -> None:
    folder = pictures("beach/0.png", "beach/1.png", "city/0.png", "city/2.png")
    table(folder, "image,caption\n0.png,a beach\n1.png,b\n2.png,c\n")
    splits = build("folder", path=folder, validation=0)
    source = splits["train"]
    assert isinstance(source, Source)
    with pytest.raises(SampleError, match=r"it may be .*beach/0\.png or .*city/0\.png; write its path from"):
        source[0]
    assert [source[number].image for number in (1, 2)] == [folder / "beach/1.png", folder / "city/2.png"]
    assert any("of 3 pictures looked for, 1 are in several folders, and are not used" in note for note in splits.notes)
    table(folder, "image,caption\n0.png,a beach\n")
    with pytest.raises(DataError, match=r"0\.png may be .*beach/0\.png or .*city/0\.png\. Write their paths"):
        build("folder", path=folder)
    (folder / "city" / "0.png").unlink()
    (folder / "city" / "0.png").symlink_to(folder / "beach" / "0.png")
    assert len(samples(build("folder", path=folder)["train"])) == 1, "one picture by two ways is one"


def test_a_path_of_another_machine_keeps_the_folder_that_is_here(build: Build, pictures: Pictures) -> None:
    """Also where one is missing of which another folder has the name."""
    folder = pictures(*[f"beach/{number}.png" for number in range(4)], *[f"city/{number}.png" for number in range(3)])
    names = [f"/home/u/{place}/{number}.png" for place in ("beach", "city") for number in range(4)]
    table(folder, "image,caption\n" + "".join(f"{name},text\n" for name in names))
    source = build("folder", path=folder, validation=0)["train"]
    assert isinstance(source, Source)
    assert [source[n].image for n in range(7)] == [
        Path(str(folder) + name.removeprefix("/home/u")) for name in names[:7]
    ]
    with pytest.raises(SampleError, match=r"no such picture: .*city/3\.png"):
        source[7]


def test_paths_that_only_differ_in_what_does_not_count_mean_no_picture(build: Build, pictures: Pictures) -> None:
    folder = table(pictures("0.png", "1.png"), "image,caption\nx/0.png,a\ny/0.png,b\ny/1.png,c\n")
    splits = build("folder", path=folder, validation=0)
    source = splits["train"]
    assert isinstance(source, Source)
    for number in (0, 1):
        with pytest.raises(SampleError, match=r"it may be .*0\.png, and so may another path"):
            source[number]
    assert source[2].image == folder / "1.png"
    assert any("1 pictures are not used, because several of its paths" in note for note in splits.notes)


# Parquet, size, real data


def test_parquet_with_pictures_inside(
    build: Build, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = pictures("a.png", "b.png")
    data = [(folder / name).read_bytes() for name in ("a.png", "b.png")]
    images = [{"bytes": data[0], "path": "a.png"}, {"bytes": data[1], "path": None}]
    pq.write_table(pa.table({"image": images, "text": ["x", "y"]}), tmp_path / "t-00000-of-00002.parquet")
    pq.write_table(pa.table({"image": images[:1], "text": ["z"]}), tmp_path / "t-00001-of-00002.parquet")
    source = build("folder", path=tmp_path, validation=0)["train"]
    assert [(s.key, s.image, s.captions[0].text) for s in samples(source)] == [
        ("t.parquet row 0", data[0], "x"),
        ("t.parquet row 1", data[1], "y"),
        ("t.parquet row 2", data[0], "z"),
    ]


def test_a_source_goes_to_another_process(build: Build, pictures: Pictures) -> None:
    names = [f"{number}.png" for number in range(5)]
    folder = table(pictures(*names), "image,caption\n" + "".join(f"{name},text {name[0]}\n" for name in names))
    source = build("folder", path=folder, validation=0)["train"]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        assert list(pool.map(source.__getitem__, range(5))) == samples(source)  # type: ignore[union-attr]


def test_many_rows_take_little_memory_and_time(build: Build, pictures: Pictures) -> None:
    folder = pictures("a.jpg", "b.jpg")
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption"])
        writer.writerows((f"{'ab'[number % 2]}.jpg", f"caption number {number}") for number in range(100_000))
    before = pa.total_allocated_bytes()
    source = build("folder", path=folder, validation=0)["train"]
    assert isinstance(source, Source)
    assert pa.total_allocated_bytes() - before < 8_000_000
    assert len(source) == 2
    assert len(source[1].captions) == 50_000
    assert source[1].captions[-1].text == "caption number 99999"


def test_emoji_with_a_split_that_the_user_wrote(build: Build, emoji: Path, tmp_path: Path) -> None:
    lines = (emoji / "emoji.jsonl").read_text(encoding="utf-8").splitlines()
    toned = 0
    with (tmp_path / "split.jsonl").open("w", encoding="utf-8") as file:
        for line in lines:
            record = json.loads(line)
            toned += record["skin_tone"]
            held = record["skin_tone"] and toned % 3 == 0
            file.write(json.dumps({**record, "split": "held_out" if held else "train"}) + "\n")
    splits = build(
        "folder",
        path=emoji,
        captions=str(tmp_path / "split.jsonl"),
        caption_columns=["names.en", "names.zh"],
        split_column="split",
    )
    train, held = samples(splits["train"]), samples(splits["held_out"])
    assert len(train) + len(held) == 2133
    assert len(held) == toned // 3
    assert train[0].captions == (Caption("hash sign", "en"), Caption("井号", "zh"))
    assert train[0].image == emoji / "png" / "emoji_u0023.png"
    assert all(len(sample.captions) == 2 for sample in train + held)


def test_emoji_as_it_is(build: Build, emoji: Path) -> None:
    splits = build("folder", path=emoji)
    assert sum(len(source) for source in splits.values() if isinstance(source, Source)) == 2133
    first = samples(splits["train"])[0]
    assert [caption.language for caption in first.captions] == [
        "en",
        "zh",
        "ja",
        "ko",
        "fr",
        "de",
        "es",
        "ar",
        "hi",
        "ru",
    ]


def test_photographs_with_a_spreadsheet_of_chinese_captions(build: Build, bccd: Path, tmp_path: Path) -> None:
    names = sorted(file.name for file in (bccd / "JPEGImages").iterdir())[:20]
    lines = ["图片;说明", *(f"{name};第{number}张血细胞照片" for number, name in enumerate(names))]
    (tmp_path / "说明.csv").write_bytes("\r\n".join(lines).encode("gb18030"))
    splits = build("folder", path=bccd / "JPEGImages", captions=str(tmp_path / "说明.csv"), validation=0)
    prep = ImagePrep(ImageConfig(size=64))
    found = samples(splits["train"])
    assert [sample.captions[0] for sample in found] == [
        Caption(f"第{number}张血细胞照片", "zh") for number in range(len(names))
    ]
    for sample in found[:3]:
        assert sample.image is not None
        assert prep(sample.image, sample.key, None).shape == (64, 64, 3)


def test_a_class_with_no_sample_is_refused(build: Build, pictures: Pictures) -> None:
    folder = pictures("cat/1.jpg", "cat/2.jpg", "dog/big/3.jpg")
    (folder / "bird").mkdir()
    with pytest.raises(DataError, match=r"bird: no picture in it, so the class 'bird' has no sample: give it pictures"):
        build("folder", path=str(folder))
    (folder / "bird").rename(folder / ".cache")
    assert build("folder", path=str(folder)).labels == ("cat", "dog/big")


def test_a_class_may_be_empty_in_one_split_but_not_in_all(build: Build, pictures: Pictures) -> None:
    folder = pictures("train/cat/1.jpg", "train/dog/2.jpg", "test/cat/3.jpg")
    (folder / "test" / "dog").mkdir()
    assert build("folder", path=str(folder)).labels == ("cat", "dog")
    (folder / "test" / "fox").mkdir()
    with pytest.raises(DataError, match="the class 'fox' has no sample"):
        build("folder", path=str(folder))


def test_validation_never_takes_the_last_picture_of_a_class(build: Build, pictures: Pictures) -> None:
    folder = pictures(*[f"class {number}/only.jpg" for number in range(40)], *[f"many/{n}.jpg" for n in range(40)])
    splits = build("folder", path=str(folder), validation=0.5)
    train, held = splits["train"], splits["validation"]
    assert isinstance(train, Source)
    assert isinstance(held, Source)
    assert {train[number].label for number in range(len(train))} == set(splits.labels)
    assert {held[number].label for number in range(len(held))} == {"many"}
