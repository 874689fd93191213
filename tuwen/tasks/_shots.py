"""What prompts of few shots show of a sample, and how the report page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tuwen.core.sample import Picture, Sample
from tuwen.models.prompts import Prompt, Writer
from tuwen.report.examples import Piece, PromptExample, choose

LIKELIEST = 5
"""So many closed answers are shown where the model was wrong."""


def own_picture(sample: Sample) -> Picture:
    """The sample's picture; it has one."""
    assert sample.image is not None
    return sample.image


def canonical(sample: Sample, language: str) -> str | None:
    """The canonical caption, else the first, in a language; None where there is none."""
    own = [caption for caption in sample.captions if caption.language in (language, "und")]
    own.sort(key=lambda caption: not caption.canonical)
    return own[0].text if own else None


def open_end(sentence: str, slot: str) -> tuple[str, str]:
    """What stands before a slot, and the space between, which belongs to what fills it: many tokens begin with one."""
    before = sentence.partition(slot)[0]
    end = before.rstrip()
    return end, before[len(end) :]


def prompt_examples(
    writer: Writer,
    prompts: Sequence[Prompt],
    said: Sequence[str],
    wanted: Sequence[str],
    candidates: Sequence[Sequence[str]],
    space: str,
) -> list[PromptExample]:
    """Some prompts with what was said after them; where that was wrong, how likely the closed answers were.

    candidates: for each prompt its closed answers, the wanted one among them. space: between a prompt and its answer.
    """
    judged = zip(prompts, said, wanted, candidates, strict=True)
    found = [
        _Judged(prompt, PromptExample((), one, truth, one == truth), answers) for prompt, one, truth, answers in judged
    ]
    chosen = choose(found, right=8, wrong=8)
    wrong = [one for one in chosen if not one.right]
    spaced = [[space + answer for answer in one.answers] for one in wrong]
    scores = iter(writer.score([one.prompt for one in wrong], spaced))
    return [one.shown(writer, () if one.right else _ranked(one.answers, next(scores))) for one in chosen]


class _Judged:
    """A prompt and what came of it."""

    def __init__(self, prompt: Prompt, example: PromptExample, answers: Sequence[str]) -> None:
        self.prompt, self.example, self.answers, self.right = prompt, example, answers, example.right

    def shown(self, writer: Writer, scores: tuple[tuple[str, float], ...]) -> PromptExample:
        pieces = tuple(
            Piece(part) if isinstance(part, str) else Piece(picture=writer.predictor.prepare(part))
            for part in self.prompt
        )
        return replace(self.example, pieces=pieces, scores=scores)


def _ranked(answers: Sequence[str], scores: Sequence[float]) -> tuple[tuple[str, float], ...]:
    ranked = sorted(zip(answers, scores, strict=True), key=lambda pair: -pair[1])
    return tuple(ranked[:LIKELIEST])
