"""The frozen experiment from end to end, with models that learn nothing; and its tables by hand."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file

from tuwen.core.errors import CheckpointError, DataError, RecipeError
from tuwen.experiments import frozen
from tuwen.experiments.frozen import Results, markdown, run

SMALL = ("model.language.width=16", "model.language.depth=1", "model.language.heads=2", "train.precision=fp32")
TINY = {
    "frozen_language": (*SMALL, "train.steps=2", "train.batch_size=4", "tokenizer.sample=60", "evaluate.samples=4"),
    "frozen": (
        *SMALL,
        "train.steps=2",
        "train.batch_size=6",
        "model.image.channels=[8]",
        "model.image.blocks=[1]",
        "model.image.stem=8",
        "evaluate.samples=40",
        "tasks.fast_binding.episodes=4",
        "tasks.fast_binding.ways=[2]",
        "tasks.fast_binding.shots=[0,1]",
        "tasks.few_shot_vqa.questions=4",
        "tasks.few_shot_vqa.shots=[0,1]",
    ),
}


def language_of(run: Path) -> str:
    """The bytes of a run's language model, as a hash."""
    weights = load_file(run / "model.safetensors")
    digest = hashlib.sha256()
    for name in sorted(weights):
        if name.startswith("language."):
            digest.update(weights[name].numpy().tobytes())
    return digest.hexdigest()


def drawings(folder: Path) -> Path:
    """Two kinds of picture, two of each."""
    for kind, colour in (("dark", 20), ("light", 220)):
        (folder / kind).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (40, 40), (colour + number,) * 3).save(folder / kind / f"{number}.png")
    return folder


def test_all_arms_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "QUICK", TINY)
    said: list[str] = []
    results = run(tmp_path, quick=True, pictures=drawings(tmp_path / "drawings"), say=said.append)
    assert set(results.arms) == {"frozen", "finetuned", "unpretrained"}
    assert results.trials == {"episodes": 4, "questions": 4}
    assert {"2_way_0_shot", "2_way_1_shot", "0_shot_accuracy", "1_shot_accuracy"} == set(results.figures)
    assert {"named_alone", "named_in_company", "2_way_1_shot_in_words"} <= set(results.links)
    assert language_of(tmp_path / "frozen") == language_of(tmp_path / "language")
    assert language_of(tmp_path / "finetuned") != language_of(tmp_path / "language")
    assert json.loads((tmp_path / "results.json").read_text())["arms"] == results.arms
    table, others = (
        (tmp_path / "results.md").read_text().split("\nPictures that the model was never told of (drawings):\n\n")
    )
    assert table == markdown(results)
    assert [line.split(" | ")[0] for line in others.splitlines()[2:]] == [
        "| 2 words, 0 pictures of each",
        "| 2 words, 1 picture of each",
    ]
    bound = json.loads((tmp_path / "results.json").read_text())["elsewhere"]
    assert set(bound["arms"]) == set(results.arms)
    assert bound["trials"] == {"episodes": 4}
    with Image.open(tmp_path / "results.png") as picture:
        assert picture.width > 400
    assert len(said) == 5
    again: list[str] = []
    assert run(tmp_path, quick=True, say=again.append).arms == results.arms
    assert again == [], "what has ended is not trained again"
    found = (tmp_path / "results.json").read_bytes()
    with pytest.raises(
        CheckpointError, match=r"(?s)frozen was made with other settings:\n  train.steps: was 2, is 3\n"
    ):
        run(tmp_path, quick=True, sets=["train.steps=3"])
    with pytest.raises(
        CheckpointError, match=r"language was made with other settings:(?s:.*)model.language.width: was 16"
    ):
        run(tmp_path)
    assert (tmp_path / "results.json").read_bytes() == found


def test_a_setting_that_does_not_fit_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"train\.foo"):
        run(tmp_path / "runs", sets=["train.foo=3"])
    assert not (tmp_path / "runs").exists()


def test_pictures_that_are_not_alike_cannot_be_bound(tmp_path: Path) -> None:
    """Which is said before anything is trained."""
    (drawings(tmp_path / "drawings") / "dark" / "1.png").unlink()
    with pytest.raises(DataError, match="two subfolders of two pictures each"):
        run(tmp_path / "runs", pictures=tmp_path / "drawings")
    assert not (tmp_path / "runs").exists()


def test_a_table_beside_the_papers() -> None:
    """90 of 100 are between 82.6 and 94.5 % with 95 % certainty (Wilson)."""
    figures = {"2_way_1_shot": 0.9, "2_way_1_shot_blind_floor": 0.5, "2_way_1_shot_in_words": 1.0, "named_alone": 0.7}
    arms = {"frozen": figures, "finetuned": {"0_shot_accuracy": 0.25}}
    lines = markdown(Results(arms, {"episodes": 100, "questions": 40})).splitlines()
    assert lines[0] == "| | frozen | fine-tuned | blind | chance | the paper's |"
    assert "| 2 words, 1 picture of each | 90.0 (83–94) |  | 50.0 (40–60) | 50 | 53.4 |" in lines
    assert "| 0 examples: questions answered |  | 25.0 (14–40) |  |  | 29.5 |" in lines
    assert "| named alone | 70.0 (60–78) |  | | | |" in lines
    assert "| 2 words, 1 picture of each, told in words | 100.0 (96–100) |  | | | |" in lines
