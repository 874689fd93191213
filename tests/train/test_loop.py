"""What happens to a run on its way: losses that are not finite, signals, time limits, full disks."""

import errno
import math
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from tests.train.toy import MIXTURE, Flow, Numbers, ToyStep, settings, train
from tuwen.core.batch import Batch
from tuwen.core.errors import DataError, TrainingError
from tuwen.core.loss import Loss
from tuwen.train import setup
from tuwen.train.checkpoints import verify
from tuwen.train.events import Listener, StepReport
from tuwen.train.lines import read_lines
from tuwen.train.processes import Team
from tuwen.train.window import StepRecord, Window


class Recorder(Listener):
    """Remembers everything, and can do something after a report."""

    def __init__(self, then: Any = None) -> None:
        self.reports: list[StepReport] = []
        self.notes: list[str] = []
        self.saves: list[int] = []
        self.ended = False
        self.then = then

    def on_step(self, report: StepReport) -> None:
        self.reports.append(report)
        if self.then:
            self.then(report)

    def on_save(self, step: int, path: Path) -> None:
        assert verify(path) is None
        self.saves.append(step)

    def on_note(self, text: str) -> None:
        self.notes.append(text)

    def on_end(self) -> None:
        self.ended = True


def test_it_learns_and_reports(tmp_path: Path) -> None:
    heard = Recorder()
    result = train(tmp_path, settings(steps=60, log_every=20), listeners=[heard])
    first, _, last = heard.reports
    assert last.losses["tokens"] < 0.9 * first.losses["tokens"]
    assert last.loss == pytest.approx(2 * last.losses["mean"] + last.losses["tokens"])
    assert (last.step, last.total, last.epoch) == (60, 60, 2)
    assert set(last.parts) == {"mean/guess"}
    assert last.learning_rate < 1e-4
    assert last.gradient_norm > 0
    assert 0 <= last.waiting < 1
    assert last.skipped == result.skipped == 4
    assert heard.saves == [60]
    assert heard.ended
    assert result.finished
    assert result.samples_per_second == pytest.approx(60 * 4 / result.seconds, rel=1e-3)
    assert heard.notes == [
        f"skipping samples that cannot be used, listed in {tmp_path / 'skipped.jsonl'}; first n7: broken on purpose"
    ]
    assert {line["key"] for line in read_lines(tmp_path / "skipped.jsonl")} == {"n3", "n7", "n13", "m13"}


def test_reported_losses_are_averages_over_the_items_of_all_steps(tmp_path: Path) -> None:
    """100 tokens of 1 and one of 9, in two steps of one batch; the samples are as many in each step."""
    every, seldom = Recorder(), Recorder()
    train(tmp_path / "1", settings(steps=12, log_every=1), listeners=[every])
    train(tmp_path / "2", settings(steps=12, log_every=12), listeners=[seldom])
    mean = sum(report.losses["mean"] for report in every.reports) / 12
    assert seldom.reports[0].losses["mean"] == pytest.approx(mean, rel=1e-5)
    window = Window(Team(Accelerator(cpu=True)), {"tokens": 1.0})
    for step, (total, count) in enumerate([(100.0, 100.0), (9.0, 1.0)], start=1):
        losses = [{"tokens": Loss(torch.tensor(total), torch.tensor(count))}]
        counts = {"tokens": count}
        window.add(StepRecord(step, [("key",)], losses, torch.tensor(1.0), counts, counts, 1.0, 0.0))
    window.check(lambda: "")
    assert window.averages() == ({"tokens": pytest.approx(109 / 101)}, {})


class Poisoned(ToyStep):
    """From its n-th forward pass on, an objective's loss or its gradient is not finite."""

    def __init__(self, number: int, how: str) -> None:
        super().__init__()
        self.number, self.how = number, how

    def forward(self, batch: Batch) -> dict[str, Loss]:
        self.number -= 1
        losses = super().forward(batch)
        if self.number >= 0:
            return losses
        if self.how == "gradient":
            pole = torch.sqrt(self.scale - self.scale.detach())  # 0 with an infinite slope
            return losses | {"mean": Loss(losses["mean"].sum + pole, losses["mean"].count)}
        return losses | {"tokens": Loss(losses["tokens"].sum * math.inf, losses["tokens"].count)}


@pytest.mark.parametrize(
    ("how", "fault"), [("loss", "the loss tokens is inf"), ("gradient", "the length of the gradient is (nan|inf)")]
)
def test_what_is_not_finite_stops_the_run_and_names_the_batch(tmp_path: Path, how: str, fault: str) -> None:
    reference = Recorder()
    keys: list[tuple[str, ...]] = []

    class Watching(ToyStep):
        def forward(self, batch: Batch) -> dict[str, Loss]:
            keys.append(batch.keys)
            return super().forward(batch)

    config = settings(accumulate=2, save_every_steps=5)
    train(tmp_path / "sound", config.model_copy(update={"steps": 8}), step=Watching(), listeners=[reference])
    heard = Recorder()
    with pytest.raises(TrainingError, match=f"step 8: {fault}, so training stopped") as caught:
        train(tmp_path / "broken", config, step=Poisoned(15, how), listeners=[heard])
    assert all(key in str(caught.value) for key in keys[15])
    assert (keys[14][0] in str(caught.value)) == (how == "gradient")  # a gradient is of all batches of the step
    assert heard.saves == [5]
    assert f"The last good checkpoint is {tmp_path / 'broken' / 'checkpoints' / 'step-00000005'}" in str(caught.value)
    assert heard.ended


def test_announced_counts_that_are_wrong_are_found(tmp_path: Path) -> None:
    class Miscounting(ToyStep):
        def counts(self, batch: Batch) -> dict[str, float]:
            return super().counts(batch) | {"mean": 5.0}

    with pytest.raises(TrainingError, match="the objective mean announced 5 items and summed the loss of 4"):
        train(tmp_path, settings(), step=Miscounting())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_run_goes_on_later_as_if_nothing_had_been(tmp_path: Path, number: int) -> None:
    def interrupt(report: StepReport) -> None:
        if report.step == 7:
            signal.raise_signal(number)

    before = signal.getsignal(number)
    whole, cut = ToyStep(), ToyStep()
    train(tmp_path / "whole", settings(steps=20), step=whole)
    stopped = train(tmp_path / "cut", settings(steps=20, log_every=1), step=ToyStep(), listeners=[Recorder(interrupt)])
    assert not stopped.finished
    assert stopped.step == 8  # the step that was under way is finished
    assert stopped.checkpoint.name == "step-00000008"
    assert signal.getsignal(number) == before
    assert train(tmp_path / "cut", settings(steps=20), step=cut, resume=True).finished
    torch.testing.assert_close(cut.state_dict(), whole.state_dict(), rtol=0, atol=0)


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    class Stuck(ToyStep):
        def forward(self, batch: Batch) -> dict[str, Loss]:
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)
                time.sleep(0.05)
            raise AssertionError("still running")

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, settings(), step=Stuck())


def test_it_trains_in_a_thread_too(tmp_path: Path) -> None:
    thread = threading.Thread(target=train, args=(tmp_path, settings(steps=3)))
    thread.start()
    thread.join()
    assert (tmp_path / "checkpoints" / "step-00000003").is_dir()


def test_a_time_limit_is_kept_and_the_learning_rate_comes_down(tmp_path: Path) -> None:
    heard = Recorder()
    begin = time.monotonic()
    result = train(tmp_path, settings(steps=None, minutes=3 / 60), slow=0.01, listeners=[heard])
    assert 1.5 < time.monotonic() - begin < 5  # the limit is 3 seconds
    assert result.finished
    assert heard.reports[-1].step == result.step
    assert heard.reports[-1].learning_rate < 0.05 * 0.01
    assert max(report.learning_rate for report in heard.reports) > 0.5 * 0.01


def test_the_average_takes_the_place_of_the_weights_at_the_end(tmp_path: Path) -> None:
    plain, averaged = ToyStep(), ToyStep()
    train(tmp_path / "plain", settings(steps=10), step=plain)
    result = train(tmp_path / "averaged", settings(steps=10, ema=0.9), step=averaged)
    assert not torch.equal(plain.words.weight, averaged.words.weight)
    files = {file.name for file in result.checkpoint.iterdir()}
    assert "ema.safetensors" in files


def test_epochs_are_counted_in_batches(tmp_path: Path) -> None:
    assert train(tmp_path / "a", settings(steps=None, epochs=1.5)).step == 30  # of 20 batches each
    assert train(tmp_path / "b", settings(steps=None, epochs=1, accumulate=3)).step == 7
    with pytest.raises(DataError, match="set train.steps or train.minutes instead"):
        train(tmp_path / "c", settings(steps=None, epochs=1), source=Flow(Numbers(40)))


@pytest.mark.parametrize("wanted", [True, "auto"])
def test_without_a_compiler_it_says_so_once_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: bool | str
) -> None:
    monkeypatch.setattr(setup, "cannot_compile", lambda device: "no C++ compiler")
    heard = Recorder()
    assert train(tmp_path, settings(steps=2, compile=wanted), listeners=[heard], source=Numbers(8)).finished
    assert heard.notes == ["going on without compilation, because this machine cannot compile: no C++ compiler"]


def test_with_a_compiler_the_model_compiles_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    class Compiling(ToyStep):
        def compile_(self) -> None:
            compiled.append(self)

    monkeypatch.setattr(setup, "cannot_compile", lambda device: None)
    train(tmp_path, settings(steps=2, compile=True), step=Compiling())
    train(tmp_path, settings(steps=4, compile=True), step=Compiling(), resume=True)
    assert len(compiled) == 2


def test_checkpoints_are_written_now_and_then(tmp_path: Path) -> None:
    by_steps, by_time = Recorder(), Recorder()
    train(tmp_path / "steps", settings(steps=10, save_every_steps=4, keep=2), listeners=[by_steps])
    assert by_steps.saves == [4, 8, 10]
    assert [path.name for path in sorted((tmp_path / "steps" / "checkpoints").iterdir())] == [
        "step-00000008",
        "step-00000010",
    ]
    train(tmp_path / "time", settings(steps=30, save_every_seconds=0.1), slow=0.02, listeners=[by_time])
    assert len(by_time.saves) >= 3


def test_a_disk_that_is_too_full_for_the_log(tmp_path: Path) -> None:
    def full(report: StepReport) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        TrainingError, match="the log could not be written; the last whole checkpoint is .*-00000005: the"
    ):
        train(tmp_path, settings(save_every_steps=5), listeners=[Recorder(full)])


def test_bf16_is_used_where_it_is_asked_for(tmp_path: Path) -> None:
    seen = []

    class Looking(ToyStep):
        def forward(self, batch: Batch) -> dict[str, Loss]:
            seen.append(self.picture(torch.zeros(1, 48)).dtype)
            return super().forward(batch)

    train(tmp_path / "a", settings(steps=1, precision="bf16"), step=Looking(), source=MIXTURE)
    train(tmp_path / "b", settings(steps=1, precision="fp32"), step=Looking())
    assert seen == [torch.bfloat16, torch.float32]
