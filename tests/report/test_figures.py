import pytest

from tuwen.metrics.classification import wilson_interval
from tuwen.report.figures import Unit, read_figures, splits_of


def figure(metrics, task, name):
    (found,) = (entry for entry in read_figures(metrics) if entry.name == task)
    (value,) = (one for one in found.figures if one.name == name)
    return value


def test_the_strongest_floor_comes_first_and_a_repeated_one_once():
    entry = {"accuracy": 0.97, "floor": 0.6, "question_only_floor": 0.6, "majority_floor": 0.3, "blind_floor": 0.65}
    value = figure({"tasks": {"vqa": entry}}, "vqa", "accuracy").values["tasks"]
    assert [(floor.label.en, floor.value) for floor in value.floors] == [
        ("blind image", 0.65), ("question only", 0.6), ("majority", 0.3),
    ]  # fmt: skip


def test_a_floor_of_one_figure_is_not_anothers():
    entry = {
        "image_to_text_r1": 0.9,
        "text_to_image_r1": 0.8,
        "text_to_image_r1_chance_floor": 0.02,
        "image_to_text_r5": 1,
    }
    metrics = {"tasks": {"retrieve": entry}}
    assert figure(metrics, "retrieve", "text_to_image_r1").values["tasks"].floors[0].value == 0.02
    assert figure(metrics, "retrieve", "image_to_text_r1").values["tasks"].floors == ()
    assert figure(metrics, "retrieve", "image_to_text_r5").values["tasks"].floors == ()


def test_a_gallery_has_chance_as_its_floor():
    metrics = {"tasks": {"retrieve": {"image_to_text_r1": 0.9, "candidates": 500}}}
    (floor,) = figure(metrics, "retrieve", "image_to_text_r1").values["tasks"].floors
    assert (floor.label.zh, floor.value) == ("随机猜测", 1 / 500)
    assert read_figures(metrics)[0].candidates == {"tasks": 500}


def test_asked_numbers_and_uncertainty():
    metrics = {
        "tasks": {"caption": {"exact_match": 0.96, "cider": 9.1, "count": 1000}},
        "held_out": {"caption": {"exact_match": 0.74, "count": 1000}},
        "asked": {"tasks": {"caption": {"exact_match": 0.95}}, "held_out": {"caption": {"exact_match": 0.75}}},
    }
    values = figure(metrics, "caption", "exact_match").values
    assert (values["tasks"].met, values["held_out"].met) == (True, False)
    assert values["tasks"].interval == wilson_interval(960, 1000)
    cider = figure(metrics, "caption", "cider")
    assert set(cider.values) == {"tasks"}
    assert cider.values["tasks"].met is None
    assert cider.values["tasks"].interval is None


def test_known_tasks_and_headlines_come_first_and_unknown_ones_are_shown_too():
    metrics = {
        "tasks": {
            "juggle": {"balls": 3, "note": "text is no figure", "flag": True},
            "vqa": {"macro_f1": 0.5, "accuracy": 0.9, "by_kind": {"count": 1.0}},
        }
    }
    tasks = read_figures(metrics)
    assert [task.name for task in tasks] == ["vqa", "juggle"]
    assert [one.name for one in tasks[0].figures] == ["accuracy", "macro_f1"]
    assert [one.name for one in tasks[0].headlines] == ["accuracy"]
    assert [(one.metric.label, one.metric.unit) for one in tasks[1].headlines] == [(("balls", "balls"), Unit.PLAIN)]


def test_splits_are_those_measured():
    assert splits_of({"held_out": {"vqa": {"accuracy": 1}}, "tasks": {}}) == ["held_out"]
    assert read_figures({"train_seconds": 3}) == []


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [(Unit.SHARE, 0.9785, "97.9 %"), (Unit.SHARE, 1, "100.0 %"), (Unit.TEN, 9.714, "9.71"),
     (Unit.PLAIN, 1234.5, "1,234"),
     (Unit.PLAIN, 1.0, "1")],
)  # fmt: skip
def test_units(unit, value, text):
    assert unit.show(value) == text
