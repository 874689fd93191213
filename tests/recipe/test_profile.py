"""Where the time goes: operations belong to the part of the model that they ran in, backward ones included."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tuwen.recipe import profile as profiling
from tuwen.recipe.profile import LOSS, MARK, REST, WAITING, Profile, profile, shares_of
from tuwen.recipe.schema import load_recipe
from tuwen.report.shares import draw_shares

SMALL = ["data.train_scenes=60", "data.test_scenes=8", "train.batch_size=4", "tokenizer.sample=200"]
SMALL += ["train.precision=fp32"]


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WARM": 1, "TIMED": 2, "RECORDED": 1}.items():
        monkeypatch.setattr(profiling, name, value)


def event(name: str, time: float = 0, above: Any = None, number: int = -1, thread: int = 1, of: int = 0) -> Any:
    return SimpleNamespace(
        name=name,
        cpu_parent=above,
        sequence_nr=number,
        thread=thread,
        fwd_thread=of,
        self_cpu_time_total=time,
        self_device_time_total=0,
    )


def test_operations_belong_to_the_innermost_part_and_to_their_forward_operation() -> None:
    step = event(MARK + LOSS)
    tower = event(MARK + "image tower", above=step)
    attention = event(MARK + "attention", above=tower)
    forward = [event("mm", 10, tower, 5), event("softmax", 20, attention, 6), event("log", 5, step, 7)]
    nodes = [event("MmBackward", 1, None, 5, 2, 1), event("SoftmaxBackward", 1, None, 6, 2, 1)]
    backward = [event("mm", 30, nodes[0], -1, 2), event("mul", 29, nodes[1], -1, 2), event("add", 4, None, -1, 2)]
    shares = shares_of([step, tower, attention, *forward, *nodes, *backward])
    assert shares == pytest.approx({"image tower": 0.41, "attention": 0.5, LOSS: 0.05, REST: 0.04})


def test_a_few_steps_are_profiled(tmp_path: Path) -> None:
    found = profile(load_recipe(sets=SMALL).recipe, tmp_path / "trace.json")
    assert sum(found.shares.values()) == pytest.approx(1)
    assert {"image tower", "text tower", "language model", "attention", "optimiser", LOSS, WAITING} <= set(found.shares)
    assert list(found.shares.values()) == sorted(found.shares.values(), reverse=True)
    assert found.seconds > 0
    assert found.samples_per_second == pytest.approx(4 / found.seconds)
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    draw_shares(found.shares, tmp_path / "shares.png")
    assert (tmp_path / "shares.png").stat().st_size > 1000


def test_attention_of_texts_without_padding_is_counted_too(tmp_path: Path) -> None:
    without = ["objectives.captioning=null", "tasks.caption=null"]
    found = profile(load_recipe(sets=[*SMALL, *without]).recipe, tmp_path / "trace.json")
    assert "language model" not in found.shares
    assert found.shares["attention"] > 0.01


def test_a_tower_that_is_asked_for_its_class_token_alone_is_seen(tmp_path: Path) -> None:
    vit = "{kind: vit, width: 16, heads: 2, depth: 1, patch: 16, pool: class}"
    sets = [f"model.image={vit}", "model.text={kind: gru, width: 16}", "model.fusion=null", "model.language=null"]
    sets += [f"model.heads.{head}=null" for head in ("match", "answer", "phrases")]
    sets += [f"objectives.{name}=null" for name in ("matching", "captioning", "answering", "grounding")]
    sets += ["tasks.caption=null", "tasks.vqa=null"]
    found = profile(load_recipe(sets=[*SMALL, *sets]).recipe, tmp_path / "trace.json")
    assert {"image tower", "text tower", "attention"} <= set(found.shares)


@pytest.mark.parametrize(("most", "words"), [(WAITING, "train.workers"), ("fusion", "The fusion takes the most")])
def test_the_bottleneck_in_words(most: str, words: str) -> None:
    shares = {most: 0.6, "text tower": 0.4, **({} if most == WAITING else {WAITING: 0.0})}
    assert words in Profile(0.1, shares, 100).words
