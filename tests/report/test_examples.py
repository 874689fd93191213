import json

import numpy as np
import pytest

from tuwen.core.errors import DataError
from tuwen.report.examples import (
    AnswerExample,
    CaptionExample,
    ClassExample,
    Confusion,
    Examples,
    FoundPictures,
    FoundTexts,
    Piece,
    PromptExample,
    Tally,
    choose,
)


def picture(seed, height=8, width=6):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_what_is_saved_is_what_is_loaded(tmp_path):
    examples = Examples()
    split = examples.split("held_out")
    split.captions.append(CaptionExample(picture(0), "a <b>cat</b>", "一只猫", False, ("shape", "colour")))
    split.answers.append(AnswerExample(picture(1), "几个？", "2", "3", False, "count"))
    pieces = (Piece(picture=picture(4)), Piece("this is a dax."), Piece(picture=picture(1)), Piece("this is a"))
    split.prompts.append(PromptExample(pieces, "wug", "dax", False, (("wug", -0.5), ("dax", -1.5))))
    split.found_pictures.append(FoundPictures("a cat", (picture(0), picture(2)), (False, True), 2))
    split.found_texts.append(FoundTexts(picture(2), ("a", "b"), (True, False), 1))
    split.classes.append(ClassExample(picture(3), "cat", "cat", True))
    split.tallies["vqa_by_kind"] = {"count": Tally(3, 4, 0.5), "colour": Tally(1, 1)}
    split.confusion = Confusion(("cat", "dog"), ((3, 1), (0, 2)))

    loaded = Examples.load(examples.save(tmp_path).parent).splits["held_out"]

    (caption,) = loaded.captions
    assert (caption.prediction, caption.reference, caption.failed) == ("a <b>cat</b>", "一只猫", ("shape", "colour"))
    np.testing.assert_array_equal(caption.picture, picture(0))
    (answer,) = loaded.answers
    assert (answer.question, answer.prediction, answer.answer, answer.right, answer.kind) == (
        "几个？", "2", "3", False, "count",
    )  # fmt: skip
    (prompt,) = loaded.prompts
    assert [piece.words for piece in prompt.pieces] == ["", "this is a dax.", "", "this is a"]
    np.testing.assert_array_equal(prompt.pieces[2].picture, picture(1))
    assert prompt.pieces[1].picture is None
    assert (prompt.prediction, prompt.answer, prompt.right) == ("wug", "dax", False)
    assert prompt.scores == (("wug", -0.5), ("dax", -1.5))
    (found,) = loaded.found_pictures
    np.testing.assert_array_equal(found.pictures[1], picture(2))
    assert (found.correct, found.rank, found.right) == ((False, True), 2, False)
    assert loaded.found_texts[0].right
    assert loaded.classes[0].label == "cat"
    assert loaded.tallies == split.tallies
    assert loaded.confusion == split.confusion


def test_a_picture_in_several_examples_is_saved_once(tmp_path):
    examples = Examples()
    examples.split("tasks").captions += [CaptionExample(picture(0), text, text, True) for text in "abc"]
    file = json.loads(examples.save(tmp_path).read_text())
    assert len(file["pictures"]) == 1


def test_large_pictures_are_saved_smaller(tmp_path):
    examples = Examples()
    examples.split("tasks").classes.append(ClassExample(picture(0, 600, 300), "a", "a", True))
    examples.save(tmp_path)
    assert Examples.load(tmp_path).splits["tasks"].classes[0].picture.shape == (256, 128, 3)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3)), np.zeros((4, 4), dtype=np.uint8)])
def test_other_arrays_are_refused(tmp_path, wrong):
    examples = Examples()
    examples.split("tasks").classes.append(ClassExample(wrong, "a", "a", True))
    with pytest.raises(ValueError, match=r"must be \[H, W, 3\] uint8"):
        examples.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_missing_or_broken_files_say_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"examples\.json is missing; to write it: tuwen evaluate"):
        Examples.load(tmp_path)
    (tmp_path / "examples.json").write_text('{"pictures": {}, "splits": {"tasks": {"classes": [{"picture": "gone"')
    with pytest.raises(DataError, match=r"examples\.json cannot be read"):
        Examples.load(tmp_path)
    gone = {"picture": "gone", "prediction": "a", "label": "a", "right": True}
    (tmp_path / "examples.json").write_text(json.dumps({"pictures": {}, "splits": {"tasks": {"classes": [gone]}}}))
    with pytest.raises(DataError, match="there is no picture 'gone'"):
        Examples.load(tmp_path)


def test_choose_takes_failures_and_successes():
    items = [ClassExample(picture(0), str(n), "", n % 3 != 0) for n in range(10)]
    assert [item.prediction for item in choose(items, right=3, wrong=2)] == ["0", "3", "1", "2", "4"]
    assert choose(iter(items[1:3]), right=5, wrong=5) == items[1:3]
