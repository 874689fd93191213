"""GPT-2's weights in our language model: the same logits as in Transformers, and the same greedy words."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from tuwen.core.errors import CheckpointError
from tuwen.language import LanguageContext, causal_mask, positions_in
from tuwen.language.gpt import Config, build
from tuwen.models.generate import Decoding, generate
from tuwen.models.gpt2 import from_gpt2, gpt_settings

VOCABULARY, LENGTH, HEADS = 60, 32, 2


@pytest.fixture
def theirs() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": HEADS, "n_positions": LENGTH, "vocab_size": VOCABULARY}
    model = GPT2LMHeadModel(
        GPT2Config(**sizes, initializer_range=0.3, bos_token_id=1, eos_token_id=None, pad_token_id=0)
    )
    return model.eval()


def test_the_logits_and_the_words_are_the_same(theirs: GPT2LMHeadModel) -> None:
    state = theirs.state_dict()
    settings = gpt_settings(state, HEADS)
    settings.pop("kind")
    ours = build(Config(**settings), LanguageContext(VOCABULARY, LENGTH)).eval()
    ours.load_state_dict(from_gpt2(state))
    ids = torch.tensor([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]])
    segments = torch.ones_like(ids)
    with torch.no_grad():
        found = ours.logits(ours(ours.embed(ids), positions_in(segments), causal_mask(segments)))
        torch.testing.assert_close(found, theirs(ids).logits, rtol=0, atol=1e-4)
        wanted = theirs.generate(ids, attention_mask=segments, do_sample=False, max_new_tokens=12)[:, 5:].tolist()
        said = generate(ours, list(ours.embed(ids)), eos=-1, how=Decoding(max_new_tokens=12))
    assert [list(own.ids) for own in said] == wanted


def test_other_weights_are_refused(theirs: GPT2LMHeadModel) -> None:
    state = dict(theirs.state_dict())
    with pytest.raises(CheckpointError, match="there is a model.layers"):
        from_gpt2({**state, "model.layers.0": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"token.weight is missing"):
        from_gpt2({name: value for name, value in state.items() if "wte" not in name and "lm_head" not in name})
