"""WebDataset tars: read in shares, in a fixed order, and through every kind of damage."""

import io
import json
import pickle
import tarfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from tuwen.core.errors import DataError, RecipeError, SampleError
from tuwen.core.sample import Caption, Question, Sample, Stream
from tuwen.data import DataContext, NotedSplits

Build = Callable[..., NotedSplits]
Files = Sequence[tuple[str, bytes]]


def picture(kind: str = "JPEG", shade: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (shade % 256, 0, 0)).save(file, kind)
    return file.getvalue()


JPG = picture()


def tar(path: Path, files: Files, mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def plain(start: int, count: int) -> Files:
    return [
        file
        for number in range(start, start + count)
        for file in ((f"{number:05}.jpg", JPG), (f"{number:05}.txt", f"text {number}".encode()))
    ]


@pytest.fixture
def tars(tmp_path: Path) -> Path:
    """Five tars of seven samples each: 35 texts."""
    for number in range(5):
        tar(tmp_path / f"data-{number:03}.tar", plain(number * 7, 7))
    return tmp_path


def stream(splits: Mapping[str, object], name: str = "train") -> Stream:
    found = splits[name]
    assert isinstance(found, Stream)
    return found


def drain(samples: Iterator[Sample]) -> tuple[list[Sample], list[SampleError]]:
    """What a reader sees who goes on after each broken sample."""
    good: list[Sample] = []
    broken: list[SampleError] = []
    while True:
        try:
            good.append(next(samples))
        except SampleError as error:
            broken.append(error)
        except StopIteration:
            return good, broken


def read(source: Stream, epoch: int = 0, shard: int = 0, shards: int = 1) -> list[str]:
    good, broken = drain(source.iterate(epoch=epoch, shard=shard, shards=shards))
    assert not broken
    return [sample.captions[0].text for sample in good]


ALL = [f"text {number}" for number in range(35)]


def test_evaluation_reads_in_order(build: Build, tars: Path) -> None:
    splits = build("shards", train=[str(tars / "data-*.tar")], test=[str(tars / "data-*.tar")])
    assert read(stream(splits, "test")) == ALL
    assert splits.notes[-1] == "train: 5 tars; test: 5 tars."
    assert any("'txt'" in note and "guessed" in note for note in splits.notes)


def test_training_is_shuffled_by_seed_and_epoch(build: Build, tars: Path) -> None:
    pattern = [str(tars)]
    first = stream(build("shards", train=pattern, shuffle=10))
    again = stream(build("shards", train=pattern, shuffle=10))
    other = stream(build("shards", DataContext(seed=1), train=pattern, shuffle=10))
    assert read(first) == read(again)
    assert sorted(read(first), key=ALL.index) == ALL
    orders = [read(first), read(first, epoch=1), read(other), ALL]
    assert len({tuple(order) for order in orders}) == 4


@pytest.mark.parametrize("shards", [1, 2, 3, 5, 6, 11, 13, 40])
@pytest.mark.parametrize("split", ["train", "test"])
def test_shares_are_disjoint_and_whole(build: Build, tars: Path, shards: int, split: str) -> None:
    source = stream(build("shards", train=[str(tars)], test=[str(tars)], shuffle=4), split)
    for epoch in (0, 1):
        shares = [read(source, epoch, shard, shards) for shard in range(shards)]
        assert Counter(text for share in shares for text in share) == Counter(ALL)
        if shards <= 35:
            assert all(shares)


def test_patterns(build: Build, tars: Path) -> None:
    spelled = [str(tars / "data-{000..001}.tar"), str(tars / "data-00{2,3}.tar"), str(tars / "data-004.tar")]
    assert read(stream(build("shards", train=spelled, test=spelled), "test")) == ALL
    for wrong in (str(tars / "gone-*.tar"), str(tars / "data-{003..005}.tar")):
        with pytest.raises(DataError, match=r"no such tar"):
            build("shards", train=[wrong])
    with pytest.raises(DataError, match="read from disk, http"):
        build("shards", train=["pipe://cat x.tar"])
    with pytest.raises(RecipeError):
        build("shards", train=[])


def test_fields(build: Build, tmp_path: Path) -> None:
    record = {"caption": "from json", "names": {"zh": "中文"}, "question": "what?", "answer": "a dog", "width": 8}
    files = [
        ("photos/a.1.jpg", JPG),
        ("photos/b.png", picture("PNG")),
        ("photos/b.txt", "plain\ntext".encode("utf-8-sig")),
        ("photos/b.cls", b"7\n"),
        ("photos/b.json", json.dumps(record).encode()),
        ("photos/c.webp", picture("WEBP")),
        ("photos/c.en.txt", b"english"),
        ("photos/c.mask.png", JPG),
    ]
    splits = build("shards", train=[str(tar(tmp_path / "a.tar", files))], test=[str(tmp_path / "a.tar")])
    good, broken = drain(stream(splits, "test").iterate(epoch=0, shard=0, shards=1))
    assert [error.key for error in broken] == [f"{tmp_path / 'a.tar'}: photos/a"]
    first, second = good
    assert first.key == f"{tmp_path / 'a.tar'}: photos/b"
    assert first.image == picture("PNG")
    assert first.label == "7"
    assert set(first.captions) == {Caption("plain text", "en"), Caption("from json", "en"), Caption("中文", "zh")}
    assert first.questions == (Question("what?", "a dog", "other", "en"),)
    assert second.image == picture("WEBP")
    assert second.captions == (Caption("english", "en"),)


def test_columns_may_be_named(build: Build, tmp_path: Path) -> None:
    files = [("a.jpg", JPG), ("a.mask.png", picture("PNG")), ("a.txt", b"one"), ("a.json", b'{"long": "two words"}')]
    pattern = [str(tar(tmp_path / "a.tar", files))]
    splits = build("shards", train=pattern, caption_columns=["long"], image_column="mask.png", language="en")
    (sample,), _ = drain(stream(splits).iterate(epoch=0, shard=0, shards=1))
    assert sample.captions == (Caption("two words", "en"),)
    assert sample.image == picture("PNG")
    with pytest.raises(DataError, match="no column 'lang'"):
        build("shards", train=pattern, caption_columns=["lang"])


def test_broken_members_cost_one_sample_each(build: Build, tmp_path: Path) -> None:
    files = [
        *plain(0, 2),
        ("x.jpg", JPG),
        ("x.json", b'{"caption": '),
        ("y.jpg", JPG),
        ("y.txt", b"\xff\xfe\xff"),
        ("z.txt", b"no picture"),
        ("w.jpg", JPG),
        ("w.jpg", JPG),
        ("v.jpg", JPG),
        ("u.jpg", JPG),
        ("u.txt", b" \x00 "),
        *plain(2, 2),
    ]
    source = stream(build("shards", train=[str(tar(tmp_path / "a.tar", files))], shuffle=2))
    good, broken = drain(source.iterate(epoch=0, shard=0, shards=1))
    assert sorted(sample.captions[0].text for sample in good) == ["text 0", "text 1", "text 2", "text 3"]
    reasons = {error.key.split(": ")[1]: error.reason for error in broken}
    assert set(reasons) == {"x", "y", "z", "w", "v", "u"}
    assert "its .json cannot be read" in reasons["x"]
    assert "its .txt cannot be read" in reasons["y"]
    assert "no picture" in reasons["z"]
    assert "two files of the same kind" in reasons["w"]
    assert "nothing is said" in reasons["v"]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_cut_anywhere_loses_its_rest_and_says_so(build: Build, tmp_path: Path, mode: str) -> None:
    files = [(name, content + (bytes(2000) if name.endswith("jpg") else b"")) for name, content in plain(0, 6)]
    whole = tar(tmp_path / "whole.tar", files, mode).read_bytes()
    tar(tmp_path / "b.tar", plain(10, 3))
    for cut in range(0, len(whole), max(1, len(whole) // 40)):
        (tmp_path / "a.tar").write_bytes(whole[:cut])
        source = stream(build("shards", train=[str(tmp_path / "b.tar")], test=[str(tmp_path / "{a,b}.tar")]), "test")
        good, broken = drain(source.iterate(epoch=0, shard=0, shards=1))
        keys = [sample.key.split(": ")[1] for sample in good]
        assert keys[-3:] == ["00010", "00011", "00012"]
        assert keys[:-3] == [f"{number:05}" for number in range(len(keys) - 3)]
        if cut < len(whole) - 10_240:
            assert [error.key for error in broken] == [str(tmp_path / "a.tar")]
            assert "cut short or broken" in broken[0].reason


def test_a_broken_header_is_not_taken_for_the_end(build: Build, tmp_path: Path) -> None:
    data = bytearray(tar(tmp_path / "a.tar", plain(0, 4)).read_bytes())
    with tarfile.open(tmp_path / "a.tar") as archive:
        start = archive.getmembers()[4].offset
    data[start : start + 10] = b"\xff" * 10
    (tmp_path / "a.tar").write_bytes(data)
    source = stream(build("shards", train=[str(tmp_path / "a.tar")]))
    good, broken = drain(source.iterate(epoch=0, shard=0, shards=1))
    assert [sample.captions[0].text for sample in good] == ["text 0"]
    assert "broken after 00001: bad checksum" in broken[0].reason


def test_a_missing_tar_in_the_middle_of_a_run(build: Build, tars: Path) -> None:
    source = stream(build("shards", train=[str(tars)], test=[str(tars)]), "test")
    (tars / "data-002.tar").unlink()
    good, broken = drain(source.iterate(epoch=0, shard=0, shards=1))
    assert len(good) == 28
    assert [error.key for error in broken] == [str(tars / "data-002.tar")]


def test_nothing_usable_is_an_error_at_the_start(build: Build, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"not a tar" * 1000)
    with pytest.raises(DataError, match="no sample can be read from the first tars"):
        build("shards", train=[str(tmp_path / "a.tar")])
    with pytest.raises(DataError, match="no picture in it; it has txt"):
        build("shards", train=[str(tar(tmp_path / "b.tar", [("a.txt", b"x")]))])
    with pytest.raises(DataError, match="no column says anything"):
        build("shards", train=[str(tar(tmp_path / "c.tar", [("a.jpg", JPG)]))])


class _Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("something was unpickled",))


def test_nothing_is_unpickled(build: Build, tmp_path: Path) -> None:
    bomb = pickle.dumps(_Bomb())
    endings = ("pyd", "pkl", "pickle", "pth", "pt", "npy", "npz", "ten")
    files = [("a.jpg", JPG), ("a.txt", b"x"), *((f"a.{ending}", bomb) for ending in endings)]
    source = stream(build("shards", train=[str(tar(tmp_path / "a.tar", files))]))
    assert read(source) == ["x"]


def test_compressed_tars(build: Build, tmp_path: Path) -> None:
    for mode, name in (("w:gz", "a.tar.gz"), ("w:xz", "b.tar.xz"), ("w:bz2", "c.tar.bz2")):
        source = stream(build("shards", train=[str(tar(tmp_path / name, plain(0, 3), mode))], shuffle=0))
        assert read(source) == ALL[:3]


def test_over_the_network(build: Build, tars: Path) -> None:
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tars)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        splits = build("shards", train=[f"{address}/data-{{000..004}}.tar"], test=[f"{address}/data-{{004..005}}.tar"])
        assert sorted(read(stream(splits)), key=ALL.index) == ALL
        good, broken = drain(stream(splits, "test").iterate(epoch=0, shard=0, shards=1))
        assert len(good) == 7
        assert [error.key for error in broken] == [f"{address}/data-005.tar"]
        assert "404" in broken[0].reason
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
