"""Captions for 512 pictures, greedily and in batches with a KV cache: tokens a second against Transformers' `generate`.

Held equal: the weights (GPT-2's architecture, 6 layers, 256 wide, 8,192 tokens, drawn at random and imported), what
stands before the words (a picture's prefix of 32 embeddings and a start token), batch 128, 24 tokens each, float32,
threads. Transformers is given the prefix as `inputs_embeds`, as its own vision-language models do. The words that come
out must be the same ones.
"""

from __future__ import annotations

import argparse
import time

import torch
from _claim import report
from _times import alternately, ratio, spread

from tuwen.language import LanguageContext
from tuwen.language.gpt import Config, build
from tuwen.models.generate import Decoding, generate
from tuwen.models.gpt2 import from_gpt2, gpt_settings

PICTURES, PREFIX, TOKENS, BATCH = 512, 32, 24, 128
WIDTH, DEPTH, HEADS, VOCABULARY, LENGTH = 256, 6, 4, 8192, 128
ASKED = {"ratio": ">= 2", "same_words": "== true"}


def main() -> None:
    """Both in turn over the same prefixes."""
    from transformers import GPT2Config, GPT2LMHeadModel

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    pictures: int = parser.parse_args().pictures
    began = time.perf_counter()
    torch.manual_seed(0)
    sizes = {"n_embd": WIDTH, "n_layer": DEPTH, "n_head": HEADS, "n_positions": LENGTH, "vocab_size": VOCABULARY}
    ends = {"bos_token_id": 1, "eos_token_id": None, "pad_token_id": 0}
    theirs = GPT2LMHeadModel(GPT2Config(**sizes, **ends, initializer_range=0.1)).eval()
    settings = gpt_settings(theirs.state_dict(), HEADS)
    settings.pop("kind")
    ours = build(Config(**settings), LanguageContext(VOCABULARY, LENGTH)).eval()
    ours.load_state_dict(from_gpt2(theirs.state_dict()))
    start = ours.embed(torch.tensor([[1]])).detach().expand(pictures, -1, -1)
    prompts = torch.cat([torch.randn(pictures, PREFIX, WIDTH) * 0.1, start], 1)

    def by_transformers() -> list[list[int]]:
        found: list[list[int]] = []
        for part in prompts.split(BATCH):  # type: ignore[no-untyped-call]
            mask = torch.ones(part.shape[:2], dtype=torch.int64)
            with torch.inference_mode():
                said = theirs.generate(
                    inputs_embeds=part, attention_mask=mask, do_sample=False, max_new_tokens=TOKENS, use_cache=True
                )
            found += said.tolist()
        return found

    def by_us() -> list[list[int]]:
        found: list[list[int]] = []
        for part in prompts.split(BATCH):  # type: ignore[no-untyped-call]
            found += [list(said.ids) for said in generate(ours, list(part), -1, Decoding(max_new_tokens=TOKENS))]
        return found

    same = by_transformers() == by_us()
    seconds = alternately({"transformers": by_transformers, "ours": by_us})
    tokens = pictures * TOKENS
    values = {
        "ratio": ratio(seconds["transformers"], seconds["ours"]),
        "same_words": same,
        "tokens_a_second": {name: spread([tokens / each for each in found], 0) for name, found in seconds.items()},
        "pictures": pictures,
    }
    report("generation", values, ASKED, time.perf_counter() - began)


if __name__ == "__main__":
    main()
