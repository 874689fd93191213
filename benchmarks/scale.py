"""What a billion pairs would cost on N accelerators: `python benchmarks/scale.py` writes `scale.md`.

Computed, not measured: from the model's own operations and weights, from what the claims measured (`results.json`,
`gpu/results.json` where there is one), and from assumptions, which the page lists.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE / "scale.md"
PAIRS = 1e9
ACCELERATORS = (1, 8, 64, 512)
MEMORY = 70e9
"""Bytes of a device for weights, optimiser and activations."""
COLUMNS = (
    "accelerators",
    "time",
    "pairs/s",
    "weights and optimiser a device",
    "pairs at once a device",
    "step",
    "network a step",
    "read from storage",
    "cores that decode",
)


@dataclass(frozen=True, slots=True)
class Assumed:
    """What was not measured. Rates a second; sizes in bytes.

    peak: operations of the accelerator in bf16. utilisation: share of it that a step reaches. network: between
    accelerators, each way. picture, text: on disk. batch: pairs of a step, over all accelerators. decoding: pictures
    that a processor core prepares.
    """

    peak: float = 989e12
    utilisation: float = 0.45
    network: float = 50e9
    picture: float = 50e3
    text: float = 100.0
    batch: int = 32_768
    decoding: float = 900.0


@dataclass(frozen=True, slots=True)
class Model:
    """Two Transformers. Widths, depths, tokens a row (16 of a text are read on average), embedding, vocabulary."""

    image: tuple[int, int, int] = (768, 12, 197)
    text: tuple[int, int, int] = (512, 12, 16)
    embedding: int = 512
    vocabulary: int = 49_408
    patch: int = 16

    @property
    def weights(self) -> float:
        """Of both towers, the embeddings and the projections."""
        blocks = sum(12 * width**2 * depth for width, depth, _ in (self.image, self.text))
        ends = 3 * self.patch**2 * self.image[0] + self.vocabulary * self.text[0]
        return blocks + ends + self.embedding * (self.image[0] + self.text[0])

    @property
    def operations(self) -> float:
        """Of a pair, forward and backward (three times the forward pass): products with weights, and attention."""
        return 3 * sum(depth * (24 * width**2 * n + 4 * n**2 * width) for width, depth, n in (self.image, self.text))

    @property
    def activations(self) -> float:
        """Bytes kept of a pair for the backward pass: about 34 bytes a token, channel and layer in bf16 (Korthikanti et
        al. 2022, arXiv:2205.05198, eq. 1, without the attention matrices)."""
        return sum(34 * width * depth * n for width, depth, n in (self.image, self.text))


def row(model: Model, assumed: Assumed, accelerators: int) -> dict[str, float]:
    """Hours, and what each device and the whole must hold, send and read."""
    batch = assumed.batch / accelerators
    seconds = batch * model.operations / (assumed.peak * assumed.utilisation)
    gathered = 2 * 4 * assumed.batch * model.embedding  # the embeddings to all, their gradients back
    sent = (2 * 4 * model.weights + gathered) if accelerators > 1 else 0.0
    steps = PAIRS / assumed.batch
    rate = assumed.batch / seconds
    return {
        "hours": steps * seconds / 3600,
        "pairs_a_second": rate,
        "state": 16 * model.weights,
        "activations_a_pair": model.activations,
        "pairs_at_once": min(batch, max(1.0, (MEMORY - 16 * model.weights) / model.activations)),
        "network_seconds": sent / assumed.network,
        "step_seconds": seconds,
        "read": rate * (assumed.picture + assumed.text),
        "cores": rate / assumed.decoding,
    }


def page(model: Model, assumed: Assumed, measured: dict[str, Any]) -> str:
    """The page."""
    lines = [
        "# A billion pairs, on paper",
        "",
        "Written by `python benchmarks/scale.py`. Computed, not measured on GPUs. "
        "What it rests on stands below the table.",
        "",
        f"The model: ViT-B/16 at 224 px and a text Transformer 512 x 12, {model.weights / 1e6:.0f} M weights, "
        f"{model.operations / 1e9:.0f} G operations a pair, {assumed.batch:,} pairs a step.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    for number in ACCELERATORS:
        found = row(model, assumed, number)
        cells = (
            f"{number}",
            _time(found["hours"]),
            f"{found['pairs_a_second']:,.0f}",
            f"{found['state'] / 2**30:.1f} GiB",
            f"{found['pairs_at_once']:,.0f}",
            f"{found['step_seconds']:.2f} s",
            f"{found['network_seconds']:.3f} s",
            f"{found['read'] / 1e6:,.0f} MB/s",
            f"{found['cores']:,.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Where a device holds fewer pairs at once than its share of a step, the rest is done in turn with "
        "`train.accumulate`",
        "and `train.gradient_cache: true`, which compares all pairs of the step all the same, and costs one more pass "
        "without",
        "gradients (a third more time). The network's time is not added to the step's: it is what must be hidden.",
        "",
        "## Assumed",
        "",
        f"- An accelerator does {assumed.peak / 1e12:.0f} TFLOP/s in bf16 (an H100's data sheet), and a step reaches "
        f"{assumed.utilisation:.0%} of it: what `gpu/step.py` is to measure.",
        "- Every device holds all weights, gradients and AdamW's moments in float32: 16 bytes a weight. With "
        "`train.shard: true` N devices hold 8 + 16 / N bytes each.",
        f"- {MEMORY / 1e9:.0f} GB of a device are for these and for activations: 34 bytes a token, channel and layer.",
        f"- The network moves {assumed.network / 1e9:.0f} GB/s between devices; gradients travel in float32.",
        f"- A picture takes {assumed.picture / 1e3:.0f} kB on disk and a text {assumed.text:.0f} bytes.",
        "- A text has 16 tokens on average and is not padded.",
        "",
        "## Measured",
        "",
        *(f"- {line}" for line in measured_lines(measured, assumed)),
    ]
    return "\n".join(lines) + "\n"


def measured_lines(measured: dict[str, Any], assumed: Assumed) -> list[str]:
    """What the claims say of it."""
    found = []
    if "input_rate" in measured:
        found.append(f"A core prepares {assumed.decoding:,.0f} pictures a second (claim `input_rate`).")
    if "contrastive_memory" in measured:
        values = measured["contrastive_memory"]["values"]
        megabytes = values.get("extra_megabytes.ours")
        found.append(f"The loss over {values['batch']:,} pairs takes {megabytes:,} MB (`contrastive_memory`).")
    return found or ["Nothing yet: run `make bench` first."]


def assumptions(measured: dict[str, Any]) -> Assumed:
    """With the rates that were measured in the place of guesses."""
    rate = (
        measured.get("input_rate", {}).get("values", {}).get("photographs_640x480.photographs_a_second.bilinear.median")
    )
    return Assumed() if rate is None else Assumed(decoding=rate)


def _time(hours: float) -> str:
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"


def main() -> None:
    """Write the page."""
    file = HERE / "results.json"
    measured: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    PAGE.write_text(page(Model(), assumptions(measured), measured), encoding="utf-8")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
