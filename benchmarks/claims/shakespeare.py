"""Nats a character on the last tenth of tinyshakespeare, after five minutes of pretraining on the first nine tenths."""

from __future__ import annotations

import os
import time
from pathlib import Path

from _claim import options, report, trained

ASKED = {"val_nats_per_char": "<= 1.5", "train_seconds": "<= 300"}
DATA = Path(os.environ.get("TUWEN_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


def main() -> None:
    """Train the recipe on the text, and measure it on the windows that it has not seen."""
    import tuwen
    from tuwen.data import spec_of
    from tuwen.recipe.settings import Setting

    parser = options(__doc__)
    parser.add_argument("--data", default=str(DATA / "text" / "tinyshakespeare.txt"), help="the text file")
    arguments = parser.parse_args()
    began = time.perf_counter()
    option = Setting.given({"data": spec_of([arguments.data], kind="text")}, "--data")
    resolved = tuwen.load_recipe("language", [option], arguments.sets)
    metrics = trained(resolved)
    found = metrics["tasks"]["causal_lm"]
    values = {
        "val_nats_per_char": found["nats_per_character"],
        "val_perplexity": found["perplexity"],
        "unigram_nats_per_char": found["nats_per_character_unigram_floor"],
        "train_seconds": metrics["train_seconds"],
        "parameters": metrics["parameters"],
    }
    report("shakespeare", values, ASKED, time.perf_counter() - began)


if __name__ == "__main__":
    main()
