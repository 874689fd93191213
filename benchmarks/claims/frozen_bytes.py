"""What freezing the language model saves: memory of gradients and of the optimizer, and time, against training it.

The same batches go through both; the frozen one's weights must be the same bytes after the steps as before.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from _claim import report
from torch import nn

ASKED = {
    "frozen.gradient_bytes": "== 0",
    "frozen.optimizer_bytes": "== 0",
    "frozen.same_bytes_after": "== true",
    "trained.same_bytes_after": "== false",
    "time_saved": "> 0",
}
RECIPE = (
    "start=null",
    "data.train_scenes=2000",
    "tokenizer.sample=2000",
    "model.language={kind: gpt, width: 256, depth: 6, heads: 4}",
)
"""The prefix of the frozen experiment, with a larger language model, which is most of the model."""


def main() -> None:
    """Some steps with the language model frozen, and as many with it trained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=12)
    steps: int = parser.parse_args().steps
    began = time.perf_counter()
    frozen, trained = measure(True, steps), measure(False, steps)
    saved = trained["gradient_bytes"] + trained["optimizer_bytes"]
    values = {
        "frozen": frozen,
        "trained": trained,
        "bytes_saved": saved,
        "bytes_saved_a_weight": saved / trained["language_parameters"],
        "time_saved": 1 - frozen["step_seconds"] / trained["step_seconds"],
    }
    report("frozen_bytes", values, ASKED, time.perf_counter() - began)


def measure(freeze: bool, steps: int) -> dict[str, Any]:
    """Memory of the language model's gradients and optimizer, the median time of a step, and whether it changed."""
    from accelerate import Accelerator

    import tuwen
    from tuwen.recipe.build import build_step, build_system
    from tuwen.recipe.sources import build_data
    from tuwen.train.learner import Learner
    from tuwen.train.processes import Team

    frozen = "model.freeze=[language]" if freeze else "model.freeze=[]"
    recipe = tuwen.load_recipe("frozen", sets=(*RECIPE, frozen)).recipe
    data = build_data(recipe)
    system = build_system(recipe, data)
    language = system.model.require("language")
    learner = Learner(build_step(system).train(), recipe.train, Team(Accelerator()), "fp32")
    before, seconds = fingerprint(language), []
    for loaded in islice(system.loader(data.train, workers=0).iterate(), steps):
        started = time.perf_counter()
        learner.gradients([loaded.batch], learner.counts(loaded.batch))
        learner.update(1e-3, 0)
        seconds.append(time.perf_counter() - started)
    return {
        "gradient_bytes": sum(p.grad.nbytes for p in language.parameters() if p.grad is not None),
        "optimizer_bytes": sum(tensor.nbytes for p in language.parameters() for tensor in states(learner, p)),
        "language_parameters": sum(parameter.numel() for parameter in language.parameters()),
        "step_seconds": round(statistics.median(seconds[2:]), 4),
        "same_bytes_after": fingerprint(language) == before,
    }


def states(learner: Any, parameter: nn.Parameter) -> Iterator[Any]:
    """What the optimizers keep for a weight."""
    for optimizer in learner.optimizers:
        yield from (value for value in optimizer.state.get(parameter, {}).values() if hasattr(value, "nbytes"))


def fingerprint(module: nn.Module) -> str:
    """A hash of the bytes of all weights."""
    digest = hashlib.sha256()
    for name, weight in sorted(module.state_dict().items()):
        digest.update(name.encode() + weight.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
