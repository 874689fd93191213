"""Tables of every kind, encoding and fault."""

import csv
import io
import json
import math
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuwen.core.errors import DataError
from tuwen.data._tables.files import find_tables, read_table
from tuwen.data._tables.rows import Rows

ROWS = [
    ["a.jpg", "a dog"],
    ["b.jpg", "两只小猫在草地上晒太阳"],
    ["c.jpg", 'she said "hi", and left;\nthen | came back'],
]


def listed(rows: Rows) -> list[list[str | None]]:
    return [[rows.cell(row, column) for column in rows.columns] for row in range(len(rows))]


def written(file: Path, text: str, encoding: str = "utf-8", newline: str = "\n") -> Path:
    file.write_bytes(text.replace("\n", newline).encode(encoding))
    return file


def as_csv(separator: str, rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(rows)
    return out.getvalue()


# CSV and its relatives


@pytest.mark.parametrize("separator", [",", ";", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_separators_encodings_and_line_ends(tmp_path: Path, separator: str, encoding: str, newline: str) -> None:
    text = as_csv(separator, [["image", "caption"], *ROWS])
    rows = read_table([written(tmp_path / "captions.csv", text, encoding, newline)])
    assert rows.columns == ["image", "caption"]
    expected = [[image, caption.replace("\n", newline)] for image, caption in ROWS]
    assert listed(rows) == expected
    assert not rows.faults
    assert [rows.where(row) for row in range(3)] == [f"captions.csv line {line}" for line in (2, 3, 4)]


def test_what_is_guessed_is_said(tmp_path: Path) -> None:
    plain = read_table([written(tmp_path / "a.csv", as_csv(",", [["image", "caption"], *ROWS]))])
    assert plain.notes == ()
    odd = read_table([written(tmp_path / "b.csv", as_csv(";", [["image", "caption"], *ROWS]), "gb18030")])
    assert any("GB18030" in note for note in odd.notes)
    assert any("semicolons" in note for note in odd.notes)


def test_tab_separated_text_with_stray_quotes(tmp_path: Path) -> None:
    text = 'image\tcaption\na.jpg\t"a dog", he said\nb.jpg\t"all of it ""quoted"""\nc.jpg\t5" wide\n'
    rows = read_table([written(tmp_path / "captions.tsv", text)])
    assert [caption for _, caption in listed(rows)] == ['"a dog", he said', 'all of it "quoted"', '5" wide']


def test_tab_separated_text_that_is_quoted(tmp_path: Path) -> None:
    rows = [
        ["image", "caption"],
        ["a.jpg", "a red mug\nwith spots"],
        ["b.jpg", 'a\ttab and "words"'],
        ["c.jpg", '5" pan'],
    ]
    text = as_csv("\t", rows) + 'd.jpg\t5" wide\ne.jpg\n'
    read = read_table([written(tmp_path / "captions.tsv", text)])
    assert listed(read) == [*rows[1:], ["d.jpg", '5" wide'], ["e.jpg", ""]]
    assert not read.faults
    assert read.notes == ()


@pytest.mark.parametrize("stray", ['"never closed', '"both"" of\nb.jpg\tthem"'])
def test_tab_separated_text_with_quotes_that_open_nothing(tmp_path: Path, stray: str) -> None:
    text = f"image\tcaption\na.jpg\t{stray}\nc.jpg\tfine\n"
    read = read_table([written(tmp_path / "captions.tsv", text)])
    assert len(read) == text.count("\n") - 1
    assert read.notes == ("captions.tsv: its double quotes are plain characters, except around a whole field.",)


def test_lines_are_counted_through_quoted_line_breaks_and_blank_lines(tmp_path: Path) -> None:
    text = 'image,caption\n\na.jpg,"one\ntwo\nthree"\n\nb.jpg,four\n'
    rows = read_table([written(tmp_path / "c.csv", text)])
    assert [rows.where(row) for row in range(2)] == ["c.csv line 3", "c.csv line 7"]


def test_too_many_fields_are_a_fault_of_the_row(tmp_path: Path) -> None:
    text = "image,caption\na.jpg,a dog\nb.jpg,a cat, asleep\nc.jpg,a cow,\nd.jpg\n"
    rows = read_table([written(tmp_path / "c.csv", text)])
    assert list(rows.faults) == [1]
    assert "3 fields where the header names 2" in rows.faults[1]
    assert "double quotes" in rows.faults[1]
    assert listed(rows)[2:] == [["c.jpg", "a cow"], ["d.jpg", ""]]


def test_a_quote_that_swallows_the_file_is_a_fault(tmp_path: Path) -> None:
    lines = "".join(f"{number}.jpg,text {number}\n" for number in range(300))
    rows = read_table([written(tmp_path / "c.csv", f'image,caption\na.jpg,fine\nb.jpg,"never closed\n{lines}')])
    assert list(rows.faults) == [1]
    assert (
        "a double quote opened here is not closed where it should be, and hides what comes after it (300 lines)"
        in rows.faults[1]
    )
    assert rows.where(1) == "c.csv line 3"


@pytest.mark.parametrize("end", ["", '"quoted",\n', 'e.jpg,"fine"\n'])
def test_a_quote_that_swallows_a_few_rows_is_a_fault(tmp_path: Path, end: str) -> None:
    text = f'image,caption\na.jpg,fine\nb.jpg,"never closed\nc.jpg,lost\nd.jpg,lost\n{end}'
    rows = read_table([written(tmp_path / "c.csv", text)])
    assert list(rows.faults) == [1]
    assert "not closed" in rows.faults[1]


def test_a_quoted_text_of_several_lines_may_speak_of_pictures(tmp_path: Path) -> None:
    text = 'image,caption\na.jpg,"two lines,\nas in b.jpg"\nc.jpg,fine\n'
    assert not read_table([written(tmp_path / "c.csv", text)]).faults


def test_a_field_without_end_is_an_error_with_its_line(tmp_path: Path) -> None:
    text = 'image,caption\na.jpg,fine\nb.jpg,"' + "x" * 200_000
    with pytest.raises(DataError, match=r"c\.csv line 3: .*quote"):
        read_table([written(tmp_path / "c.csv", text)])


def test_no_header(tmp_path: Path) -> None:
    rows = read_table([written(tmp_path / "c.csv", "a.JPG,a dog\nb.jpg,a cat\n")])
    assert rows.columns == ["column1", "column2"]
    assert listed(rows) == [["a.JPG", "a dog"], ["b.jpg", "a cat"]]
    assert "no line of column names" in rows.notes[0]


def test_flickr8k_tokens(tmp_path: Path) -> None:
    rows = read_table([written(tmp_path / "captions.txt", "1_a.jpg#0\tA child .\n1_a.jpg#1\tA girl , dressed .\n")])
    assert listed(rows) == [["1_a.jpg#0", "A child ."], ["1_a.jpg#1", "A girl , dressed ."]]


def test_flickr30k_bars_and_spaces(tmp_path: Path) -> None:
    text = "image_name| comment_number| comment\na.jpg| 0| Two men , one tall .\na.jpg| 1| They stand .\n"
    rows = read_table([written(tmp_path / "results.csv", text)])
    assert rows.columns == ["image_name", "comment_number", "comment"]


def test_empty_and_repeated_column_names(tmp_path: Path) -> None:
    rows = read_table([written(tmp_path / "c.csv", ",caption,caption\n0,a,b\n")])
    assert rows.columns == ["column1", "caption", "caption_3"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 bytes"),
        ("\n\n", "is empty"),
        ("image,caption\n", "no line after it"),
        ("image\na\n", "'image', is not two"),
    ],
)
def test_empty_tables(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_table([written(tmp_path / "c.csv", text)])


def test_unreadable_encoding_names_the_file_and_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes(b"image,caption\na.jpg,caf\xe9, \xff\n")
    with pytest.raises(DataError, match=r"c\.csv.*neither UTF-8.*`encoding`"):
        read_table([tmp_path / "c.csv"])
    assert read_table([tmp_path / "c.csv"], encoding="cp1252").cell(0, "caption") == "café"
    with pytest.raises(DataError, match="no encoding is called 'utf-9'"):
        read_table([tmp_path / "c.csv"], encoding="utf-9")
    with pytest.raises(DataError, match="not ascii"):
        read_table([tmp_path / "c.csv"], encoding="ascii")


def test_a_given_separator_is_used(tmp_path: Path) -> None:
    file = written(tmp_path / "c.csv", "image,x;caption\na.jpg;b\n")
    assert read_table([file], separator=";").columns == ["image,x", "caption"]


def test_random_tables_come_back_as_the_library_wrote_them(tmp_path: Path) -> None:
    chance = random.Random(0)
    for separator in ",;|":
        rows = [
            [f"{number}.jpg", *("".join(chance.choices('ab ,;|"\n中🙂', k=chance.randint(1, 12))) for _ in range(2))]
            for number in range(200)
        ]
        text = as_csv(separator, [["image", "one", "two"], *rows])
        assert listed(read_table([written(tmp_path / "c.csv", text)], separator=separator)) == rows


# JSON


def test_json_lines_flatten(tmp_path: Path) -> None:
    records = [
        {"image": "a.png", "names": {"en": "hash", "zh": "井号"}, "tags": ["x", "y"], "n": 1},
        {"image": "b.png", "names": {"en": "dot"}, "ok": True, "empty": [], "none": None, "nan": math.nan},
        {"names": {"en": math.nan}},
    ]
    text = "\n".join(json.dumps(record) for record in records)
    rows = read_table([written(tmp_path / "a.jsonl", text)])
    assert rows.columns == ["image", "names.en", "names.zh", "tags", "n", "ok"]
    assert listed(rows) == [
        ["a.png", "hash", "井号", ["x", "y"], "1", None],
        ["b.png", "dot", None, None, None, "true"],
        [None] * 6,
    ]


def test_json_lines_of_more_than_a_batch(tmp_path: Path) -> None:
    lines = [json.dumps({"image": f"{n}.png"} | ({"late": [f"{n}", "x"]} if n > 15_000 else {})) for n in range(25_000)]
    rows = read_table([written(tmp_path / "a.jsonl", "\n".join(lines))])
    assert len(rows) == 25_000
    assert rows.cell(15_000, "late") is None
    assert rows.cell(24_999, "late") == ["24999", "x"]
    assert rows.cell(12_345, "image") == "12345.png"


def test_broken_json_lines_are_faults_with_their_line(tmp_path: Path) -> None:
    deep = "[" * 100_000
    text = f'{{"image": "a.png"}}\n\n{{"image": \n[1]\n{{"image": "b.png", "text": "\\ud83d half"}}\n{deep}\n'
    rows = read_table([written(tmp_path / "a.jsonl", text)])
    assert list(rows.faults) == [1, 2, 4]
    assert rows.where(1) == "a.jsonl line 3"
    assert rows.faults[1] == "broken JSON: Expecting value, at character 12"
    assert rows.cell(3, "text") == " half"


def test_json_lines_with_a_mark_in_utf16(tmp_path: Path) -> None:
    rows = read_table([written(tmp_path / "a.jsonl", '{"image": "a.png", "text": "中"}\n', "utf-16")])
    assert rows.cell(0, "text") == "中"


@pytest.mark.parametrize(
    "content",
    [
        [{"image": "a.png", "caption": "x"}, {"image": "b.png", "caption": "y"}],
        {"info": {}, "data": [{"image": "a.png", "caption": "x"}, {"image": "b.png", "caption": "y"}]},
        {"image": ["a.png", "b.png"], "caption": ["x", "y"]},
        {"a.png": "x", "b.png": "y"},
    ],
)
def test_layouts_of_json(tmp_path: Path, content: object) -> None:
    rows = read_table([written(tmp_path / "a.json", json.dumps(content))])
    assert rows.columns == ["image", "caption"]
    assert listed(rows) == [["a.png", "x"], ["b.png", "y"]]


def test_json_by_picture_with_lists(tmp_path: Path) -> None:
    rows = read_table([written(tmp_path / "a.json", json.dumps({"a.png": ["x", "y"], "b.png": ["z", "w"]}))])
    assert listed(rows) == [["a.png", ["x", "y"]], ["b.png", ["z", "w"]]]


def test_json_of_records_by_key(tmp_path: Path) -> None:
    content = {"7": {"image": "a.png", "caption": "x"}, "8": {"image": "b.png", "caption": "y"}}
    rows = read_table([written(tmp_path / "a.json", json.dumps(content))])
    assert listed(rows) == [["7", "a.png", "x"], ["8", "b.png", "y"]]


def test_coco_captions(tmp_path: Path) -> None:
    content = {
        "info": {"year": 2017},
        "images": [{"id": 5, "file_name": "5.jpg"}, {"id": 6, "file_name": "6.jpg"}],
        "annotations": [{"id": n, "image_id": n // 2 + 5, "caption": f"text {n}"} for n in range(4)],
    }
    rows = read_table([written(tmp_path / "a.json", json.dumps(content))])
    pairs = [(rows.cell(row, "file_name"), rows.cell(row, "caption")) for row in range(4)]
    assert pairs == [("5.jpg", "text 0"), ("5.jpg", "text 1"), ("6.jpg", "text 2"), ("6.jpg", "text 3")]


def test_karpathy_split(tmp_path: Path) -> None:
    sentences = [{"raw": "a dog", "tokens": ["a", "dog"]}, {"raw": "a pup", "tokens": ["a", "pup"]}]
    content = {"images": [{"filename": "1.jpg", "split": "restval", "sentences": sentences}], "dataset": "flickr30k"}
    rows = read_table([written(tmp_path / "a.json", json.dumps(content))])
    assert rows.cell(0, "sentences.raw") == ["a dog", "a pup"]


@pytest.mark.parametrize(("content", "words"), [("[{", "broken JSON"), ("3", "no records"), ("[]", "no records")])
def test_unusable_json(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_table([written(tmp_path / "a.json", content)])


# Parquet and files


def test_parquet(tmp_path: Path) -> None:
    table = pa.table({"image": ["a.png", "b.png"], "names": [{"en": "x", "zh": "中"}, None], "tags": [["t", "u"], []]})
    pq.write_table(table, tmp_path / "a.parquet")
    rows = read_table([tmp_path / "a.parquet"])
    assert rows.columns == ["image", "names.en", "names.zh", "tags"]
    assert listed(rows) == [["a.png", "x", "中", ["t", "u"]], ["b.png", None, None, []]]
    assert rows.where(1) == "a.parquet row 1"


def test_broken_parquet(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(DataError, match=r"a\.parquet: not a Parquet file"):
        read_table([tmp_path / "a.parquet"])


def test_a_spreadsheet_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match="a spreadsheet; open it and save it as CSV"):
        read_table([tmp_path / "a.xlsx"])


def test_missing_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_table([tmp_path / "gone.csv"])


def test_parts_of_one_table_are_found_together(tmp_path: Path) -> None:
    for name in ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "captions.txt", "notes.txt", ".x.csv"):
        (tmp_path / name).touch()
    tables = find_tables(tmp_path)
    assert {name: len(files) for name, files in tables.items()} == {"train": 2, "captions": 1}
