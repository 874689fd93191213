"""Words and pictures in any order, as a person gives them."""

import numpy as np
import pytest
import torch

from tests import tiny
from tuwen.core.errors import DataError, RecipeError
from tuwen.language import PREFIX, causal_mask, positions_in
from tuwen.models.generate import Decoding
from tuwen.models.predictor import Predictor
from tuwen.models.prompts import Prompt, Writer
from tuwen.models.reading import Reader

PICTURES = [sample.image for sample in tiny.scenes()["train"][:4]]
PROMPTS: list[Prompt] = [
    [PICTURES[0], "this is a dax. ", PICTURES[1], "this is a blicket. ", PICTURES[0], "this is a"],
    ["question: what is this?", PICTURES[2]],
    ["一个"],
    [PICTURES[3], PICTURES[2], "two things"],
]
SHORT = Decoding(max_new_tokens=8)


def predictor(batch_size: int = 128) -> Predictor:
    model = tiny.model()
    assert model.language is not None
    with torch.no_grad():
        for parameter in model.language.parameters():
            parameter.mul_(1.7)
    return tiny.predictor(model, batch_size)


def writer(batch_size: int = 128) -> Writer:
    return Writer(predictor(batch_size))


def test_any_layout_says_the_same_alone_and_in_a_batch() -> None:
    together = writer().generate(PROMPTS, SHORT)
    assert [writer().generate([prompt], SHORT)[0].text for prompt in PROMPTS] == [said.text for said in together]
    assert [said.text for said in writer(batch_size=3).generate(PROMPTS, SHORT)] == [said.text for said in together]
    assert len({said.text for said in together}) > 1


def test_a_picture_stands_where_it_stands() -> None:
    """The tokens of a prompt are `<bos>`, its words and its prefixes in their order."""
    seen = predictor()
    picture = PICTURES[0]
    assert picture is not None
    with seen.inference():
        found = Writer(seen)._embed([["a b", picture, "c"]])[0]
        language, tokenizer = seen.model.require("language"), seen.tokenizer
        words = [
            language.embed(torch.tensor(ids))
            for ids in ([tokenizer.bos, *tokenizer.encode("a b")], tokenizer.encode("c"))
        ]
        wanted = torch.cat([words[0], seen.prefixes([picture])[0], words[1]])
    torch.testing.assert_close(found, wanted)


def test_what_a_picture_shows_matters() -> None:
    blank = np.full_like(np.asarray(PICTURES[0]), 255)
    scores = writer().score([[PICTURES[0], "this is a"], [blank, "this is a"]], [["dax"], ["dax"]])
    assert abs(scores[0][0] - scores[1][0]) > 1e-4


def test_log_probabilities_are_those_of_the_text() -> None:
    asked = writer()
    for prompt, said in zip(
        PROMPTS, asked.generate(PROMPTS, SHORT.model_copy(update={"max_new_tokens": 1})), strict=True
    ):
        if said.tokens and said.text:
            again = asked.score([prompt], [[said.text]])[0][0]
            assert said.log_probability <= 0
            assert again == pytest.approx(said.log_probability, abs=1e-3) or len(asked.tokenizer.piece(said.text)) > 1


def test_a_closed_answer_is_the_likelier_the_likelier_its_words() -> None:
    """Against the whole row read at once, with its loss a token."""
    asked = predictor()
    texts = ["a red circle", "two", "一个红色的圆形"]
    found = Writer(asked).score([["caption:"]], [texts])[0]
    language, tokenizer = asked.model.require("language"), asked.tokenizer
    start = [tokenizer.bos, *tokenizer.encode("caption:")]
    for text, score in zip(texts, found, strict=True):
        ids = torch.tensor([[*start, *tokenizer.encode(text)]])
        ones = torch.ones_like(ids)
        with torch.inference_mode():
            logits = language.logits(language(language.embed(ids), positions_in(ones), causal_mask(ones)))
        losses = torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:], reduction="none")
        assert score == pytest.approx(-float(losses[len(start) - 1 :].sum()), abs=1e-3)


def test_a_text_ends_before_a_stop_string() -> None:
    free = writer().generate(PROMPTS, SHORT)
    text = max((said.text for said in free), key=len)
    stop = text[len(text) // 2 : len(text) // 2 + 2]
    for said, before in zip(writer().generate(PROMPTS, SHORT, [stop]), free, strict=True):
        assert said.text == before.text.split(stop)[0].strip()
        assert said.whole or stop not in before.text


def says(monkeypatch: pytest.MonkeyPatch, text: str) -> Writer:
    """A writer whose language model says these words, whatever it is asked, and then nothing but spaces."""
    asked = writer()
    wanted = asked.tokenizer.backend.encode(f" {text}").ids[1:]  # without the space that the tokenizer begins with

    def likeliest(reader: Reader) -> torch.Tensor:
        said = int(reader.lengths[0]) - asked.length(["a"])
        token = wanted[said] if said < len(wanted) else asked.tokenizer.encode("a  b")[1]
        scores = torch.full((len(reader.lengths), len(asked.tokenizer)), -9.0)
        scores[:, token] = -0.5
        return scores

    monkeypatch.setattr(Reader, "log_probabilities", likeliest)
    return asked


@pytest.mark.parametrize(
    ("text", "stop", "wanted", "ends"),
    [
        ("\nfoo bar", "\n", "", True),
        ("foo\n", "\n", "foo", True),
        ("foo \n\nbar", "\n\n", "foo", True),
        ("a red circle", "d c", "a re", True),
        ("foo\n", "\n\n", "foo", False),
    ],
)
def test_stop_strings_are_sought_in_all_that_is_said(
    monkeypatch: pytest.MonkeyPatch, text: str, stop: str, wanted: str, ends: bool
) -> None:
    """White space counts, and a stop string may begin in one token and end in another."""
    asked = says(monkeypatch, text)
    assert asked.tokenizer.spell(asked.tokenizer.backend.encode(f" {text}").ids[1:]).strip(" ") == text.strip(" ")
    (said,) = asked.generate([["a"]], Decoding(max_new_tokens=20), [stop])
    assert (said.text, said.whole) == (wanted, ends)
    assert "".join(asked.stream(["a"], Decoding(max_new_tokens=20), [stop])) == wanted


def test_what_is_drawn_does_not_depend_on_the_batch_size() -> None:
    how = Decoding(max_new_tokens=8, top_p=1.0, seed=2**45)
    texts = [
        [said.text for said in writer(batch_size).generate([["this is a"]] * 6, how)] for batch_size in (1, 2, 4, 128)
    ]
    assert texts[0] == texts[1] == texts[2] == texts[3]
    assert len(set(texts[0])) == 6


@pytest.mark.parametrize("stop", [False, True])
def test_a_stream_is_the_text_in_pieces(stop: bool) -> None:
    for prompt in PROMPTS:
        text = writer().generate([prompt], SHORT)[0].text
        words = [text[len(text) // 2 :][:3]] if stop and len(text) > 3 else []
        wanted = writer().generate([prompt], SHORT, words)[0].text
        pieces = list(writer().stream(prompt, SHORT, words))
        assert "".join(pieces) == wanted
        assert all(pieces)


def test_beams_cannot_be_streamed() -> None:
    with pytest.raises(RecipeError, match="stream with beams=1"):
        list(writer().stream(["a"], Decoding(beams=2)))


def test_bad_prompts_are_told() -> None:
    with pytest.raises(DataError, match="use fewer pictures"):
        writer().generate([[PICTURES[0]] * 50], SHORT)
    with pytest.raises(DataError, match="candidate 2 of prompt 1 has no words"):
        writer().score([["a"]], [["b", " "]])


def test_a_caption_is_written_as_it_was_learned() -> None:
    """The picture's prefix, then the question: as a row of training."""
    asked = predictor()
    picture = PICTURES[0]
    assert picture is not None
    said = asked.write(["caption:"], [picture], 6)
    language, tokenizer = asked.model.require("language"), asked.tokenizer
    ids = list(tokenizer.prompt("caption:"))
    with asked.inference():
        prefix = asked.prefixes([picture])
        for _ in range(6):
            segments = torch.tensor([[PREFIX] * prefix.shape[1] + [1] * len(ids)])
            row = torch.cat([prefix, language.embed(torch.tensor([ids]))], 1)
            token = int(language.logits(language(row, positions_in(segments), causal_mask(segments))[0, -1]).argmax())
            if token == tokenizer.eos:
                break
            ids.append(token)
    assert said == [tokenizer.decode(ids[len(tokenizer.prompt("caption:")) :])]
