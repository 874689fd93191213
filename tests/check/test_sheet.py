"""The contact sheet, looked at pixel by pixel."""

from pathlib import Path

import numpy as np
from PIL import Image

from tuwen.check.pictures import Seen
from tuwen.check.sheet import CELL, GAP, LINE, LINES, MOST, contact_sheet
from tuwen.core.sample import Caption, Question, Sample

HEIGHT = CELL + LINE * (LINES + 1) + GAP


def seen(count: int, shade: int = 0, **said: object) -> list[Seen]:
    """Pictures of one colour each."""
    return [
        Seen(Sample(f"{number}.png", **said), 8, 8, np.full((8, 8, 3), (number, shade, 99), np.uint8), b"")  # type: ignore[arg-type]
        for number in range(count)
    ]


def sheet(splits: dict[str, list[Seen]], file: Path) -> np.ndarray:
    contact_sheet(dict(splits), file)
    with Image.open(file) as image:
        return np.asarray(image)


def shown(page: np.ndarray) -> list[tuple[int, ...]]:
    """The colour at the centre of each cell that has a picture, row by row."""
    rows, columns = (page.shape[0] - GAP) // HEIGHT, (page.shape[1] - GAP) // (CELL + GAP)
    centres = [
        page[GAP + row * HEIGHT + CELL // 2, GAP + column * (CELL + GAP) + CELL // 2]
        for row in range(rows)
        for column in range(columns)
    ]
    return [tuple(map(int, centre)) for centre in centres if tuple(centre) != (255, 255, 255)]


def below(page: np.ndarray, number: int) -> np.ndarray:
    """What stands below a picture of the first row: the name, then the texts."""
    left, top = GAP + number * (CELL + GAP), GAP + CELL
    return page[top + 1 : top + LINE * (LINES + 1), left : left + CELL]


def test_a_few_pictures_are_all_shown_in_order(tmp_path: Path) -> None:
    page = sheet({"train": seen(3)}, tmp_path / "sheet.png")
    assert page.shape == (HEIGHT + GAP, 3 * (CELL + GAP) + GAP, 3)
    assert shown(page) == [(0, 0, 99), (1, 0, 99), (2, 0, 99)]


def test_of_many_pictures_some_of_every_split_are_shown_evenly(tmp_path: Path) -> None:
    splits = {"train": seen(200), "validation": seen(100, 1), "test": seen(2, 2)}
    found = shown(sheet(splits, tmp_path / "sheet.png"))
    assert len(found) == MOST
    by_split = [[red for red, green, _ in found if green == split] for split in range(3)]
    assert [len(reds) for reds in by_split] == [MOST - 6 - 2, 6, 2]
    assert by_split[1] == [0, 16, 33, 50, 66, 83]
    assert by_split[0][0] == 0
    assert by_split[0][-1] > 190


def test_texts_of_both_languages_and_odd_ones_are_written(tmp_path: Path) -> None:
    captions = (Caption("a cat\x00 🦕", "en"), Caption("一只猫", "zh"), Caption("un chat", "fr"))
    silent, told = seen(1)[0], seen(1, captions=captions)[0]
    page = sheet({"train": [silent, told]}, tmp_path / "sheet.png")
    inks = [int((below(page, number) < 128).all(-1).sum()) for number in (0, 1)]
    assert inks[1] > inks[0] + 100
    lines = below(page, 1)
    assert all((lines[row * LINE : (row + 1) * LINE] < 128).any() for row in (1, 2)), "a line in each language"


def test_questions_and_classes_stand_for_captions(tmp_path: Path) -> None:
    asked = seen(1, questions=(Question("what is it?", "a cat"),))
    labelled = seen(1, label="cat")
    for pictures in (asked, labelled):
        assert (below(sheet({"train": pictures}, tmp_path / "sheet.png"), 0)[LINE:] < 128).any()
