"""Train from Python.

    python examples/train.py runs/python --minutes 1

The recipe is the quickstart's with some settings changed, and a listener prints how it goes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tuwen
from tuwen.recipe.run import pretrain
from tuwen.train.events import Listener, StepReport


class Printer(Listener):
    """Prints the losses now and then. A listener may do anything: send a message, draw a curve, write a file."""

    def on_step(self, report: StepReport) -> None:
        losses = ", ".join(f"{name} {loss:.2f}" for name, loss in report.losses.items())
        print(f"step {report.step} of {report.total}: {losses}")

    def on_note(self, text: str) -> None:
        print(text)


def main() -> None:
    """Train the quickstart's model with some settings changed, and ask it something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the run; it must be new")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE", help="change a setting")
    options = parser.parse_args()

    sets = [f"train.minutes={options.minutes}", "data.objects=[1, 1]", *options.sets]
    recipe = tuwen.load_recipe("quickstart", sets=sets)
    finished = pretrain(recipe, options.run, listeners=[Printer()])
    print(f"report: {finished.report}")

    unseen = finished.data.splits["test"]
    model = tuwen.load(options.run)
    for number in range(3):
        sample = unseen[number]
        print(f"{sample.captions[0].text!r} is described as {model.caption(sample.image)!r}")


if __name__ == "__main__":
    main()
