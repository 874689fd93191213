"""Captions for 512 pictures, greedily and in batches with a KV cache: tokens a second against Transformers' `generate`.

Held equal: the weights (GPT-2's architecture, 6 layers, 256 wide, 8,192 tokens, drawn at random and imported), what
stands before the words (a picture's prefix of 32 embeddings and a start token), batch 128, float32, threads. Captions
end, as captions do, at different lengths: from the sixth word on the positions lean to the end token, more with each
word. 24 tokens are the most. Transformers is given the prefix as `inputs_embeds`, as its own vision-language models do.
The words that come out must be the same ones, and only they are counted. `never_ending` is the same where no caption
ends before 24 tokens: what is left when no row can leave its batch early.
"""

from __future__ import annotations

import argparse
import time
from statistics import fmean
from typing import Any

import torch
from _claim import report
from _times import alternately, ratio, spread

from tuwen.language import LanguageContext
from tuwen.language.gpt import GPT, Config, build
from tuwen.models.generate import Decoding, generate_batches
from tuwen.models.gpt2 import from_gpt2, gpt_settings

PICTURES, PREFIX, TOKENS, BATCH = 512, 32, 24, 128
ROUNDS = 11
"""Timed rounds; more than elsewhere, because seconds differ much from round to round."""
WIDTH, DEPTH, HEADS, VOCABULARY, LENGTH = 256, 6, 4, 8192, 128
END, NO_END = 2, -1
ENDS_FROM, LEAN, LEAN_MORE = 5, 12.0, 1.0
"""After so many words the positions have so much of the direction of the end token, and so much more a word."""
ASKED = {"ratio": ">= 2", "same_words": "== true"}


def main() -> None:
    """Both in turn over the same prefixes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    pictures: int = parser.parse_args().pictures
    began = time.perf_counter()
    torch.manual_seed(0)
    theirs = a_gpt2()
    ours = imported(theirs)
    start = ours.embed(torch.tensor([[1]])).detach().expand(pictures, -1, -1)
    prompts = torch.cat([torch.randn(pictures, PREFIX, WIDTH) * 0.1, start], 1)
    ending, never_ending = measure(theirs, ours, prompts, END), measure(theirs, ours, prompts, NO_END)
    values = {
        **ending,
        "same_words": ending["same_words"] and never_ending["same_words"],
        "never_ending": never_ending,
        "pictures": pictures,
    }
    report("generation", values, ASKED, time.perf_counter() - began)


def a_gpt2() -> Any:
    """Transformers' model with random weights whose captions end."""
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"n_embd": WIDTH, "n_layer": DEPTH, "n_head": HEADS, "n_positions": LENGTH, "vocab_size": VOCABULARY}
    ends = {"bos_token_id": 1, "eos_token_id": None, "pad_token_id": 0}
    model = GPT2LMHeadModel(GPT2Config(**sizes, **ends, initializer_range=0.1)).eval()
    words = torch.arange(LENGTH - PREFIX - 1)
    lean = torch.where(words < ENDS_FROM, 0, LEAN + LEAN_MORE * (words - ENDS_FROM))
    with torch.no_grad():
        end = torch.nn.functional.normalize(model.transformer.wte.weight[END], dim=0)
        model.transformer.wpe.weight[PREFIX + 1 :] += lean[:, None] * end
    return model


def imported(theirs: Any) -> GPT:
    """Its weights in our language model."""
    settings = gpt_settings(theirs.state_dict(), HEADS)
    settings.pop("kind")
    ours = build(Config(**settings), LanguageContext(VOCABULARY, LENGTH)).eval()
    ours.load_state_dict(from_gpt2(theirs.state_dict()))
    return ours


def measure(theirs: Any, ours: GPT, prompts: torch.Tensor, end: int) -> dict[str, Any]:
    """Both in turn, with this end token."""
    said: dict[str, list[list[int]]] = {}

    def transformers() -> None:
        said["transformers"] = by_transformers(theirs, prompts, end)

    def tuwen() -> None:
        said["ours"] = by_us(ours, prompts, end)

    seconds = alternately({"transformers": transformers, "ours": tuwen}, ROUNDS)
    tokens = sum(len(words) for words in said["ours"])
    return {
        "ratio": ratio(seconds["transformers"], seconds["ours"]),
        "same_words": said["transformers"] == said["ours"],
        "tokens_a_second": {name: spread([tokens / each for each in found], 0) for name, found in seconds.items()},
        "words_a_caption": round(fmean(len(words) for words in said["ours"]), 1),
        "longest_caption": max(len(words) for words in said["ours"]),
    }


def by_transformers(theirs: Any, prompts: torch.Tensor, end: int) -> list[list[int]]:
    """What it says after each prompt, without the end token and what is padded behind it."""
    settings = {"do_sample": False, "max_new_tokens": TOKENS, "use_cache": True}
    ends = {} if end == NO_END else {"eos_token_id": end}
    found: list[list[int]] = []
    for part in prompts.split(BATCH):  # type: ignore[no-untyped-call]
        mask = torch.ones(part.shape[:2], dtype=torch.int64)
        with torch.inference_mode():
            said = theirs.generate(inputs_embeds=part, attention_mask=mask, **settings, **ends).tolist()
        found += [row[: row.index(end)] if end in row else row for row in said]
    return found


def by_us(ours: GPT, prompts: torch.Tensor, end: int) -> list[list[int]]:
    """What we say after each prompt."""
    batches = (list(part) for part in prompts.split(BATCH))  # type: ignore[no-untyped-call]
    found = generate_batches(ours, batches, end, Decoding(max_new_tokens=TOKENS))
    return [list(said.ids) for batch in found for said in batch]


if __name__ == "__main__":
    main()
