"""Beam search (Graves 2012, arXiv:1211.3711, section 3), with hypotheses compared by their mean log-probability."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tuwen.models.reading import Desk, Reader

Found = tuple[tuple[int, ...], tuple[float, ...], bool]
"""Ids, the log-probability of each, and whether the text came to an end."""


@dataclass(slots=True)
class Hypothesis:
    """A text so far: its ids, the log-probability of each, and that of all, the end token's included."""

    ids: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    total: float = 0.0

    def longer(self, token: int, score: float) -> Hypothesis:
        """With one more token."""
        return Hypothesis([*self.ids, token], [*self.scores, score], self.total + score)


@dataclass(slots=True)
class Search:
    """One prompt's search. open: hypotheses that go on, best first; done: those that ended, with their worth."""

    open: list[Hypothesis]
    done: list[tuple[float, Hypothesis]] = field(default_factory=list)


class Beams:
    """The searches of several prompts, computed together.

    Args:
        desk: with the language model.
        prompts: B rows of embeddings, `[L, D]` each.
        eos: the id that ends a text.
        width: hypotheses of each prompt that are followed.
        length_penalty: a text's worth is its log-probability over its length (with the end token) to this power.
        ended: told all that a hypothesis says, whether it is to end.
    """

    def __init__(
        self,
        desk: Desk,
        prompts: Sequence[Tensor],
        eos: int,
        width: int,
        length_penalty: float,
        ended: Callable[[Sequence[int]], bool],
    ) -> None:
        self.desk, self.prompts, self.eos = desk, prompts, eos
        self.width, self.length_penalty, self.ended = width, length_penalty, ended

    def search(self, max_new_tokens: int) -> list[Found]:
        """The best text of each prompt, among those that ended and those that were cut off."""
        searches = [Search([Hypothesis()]) for _ in self.prompts]
        if not max_new_tokens:
            return [((), (), False) for _ in searches]
        reader = Reader(self.desk, self.prompts)
        active = list(range(len(searches)))
        for number in range(max_new_tokens):
            sizes = [len(searches[row].open) for row in active]
            scores = iter(torch.split(reader.log_probabilities(), sizes))
            full = iter(torch.split(reader.full, sizes))
            start, rows, tokens, going = 0, [], [], []
            for row in active:
                search = searches[row]
                before = len(search.open)
                parents = self._grow(search, next(scores))
                last = number + 1 == max_new_tokens or bool(next(full)[0]) or self._is_over(search)
                if not last:
                    rows += [start + parent for parent in parents]
                    tokens += [hypothesis.ids[-1] for hypothesis in search.open]
                    going.append(row)
                start += before
            if not going:
                break
            active = going
            reader.select(torch.tensor(rows, device=reader.last.device))
            reader.read(torch.tensor(tokens, device=reader.last.device))
        return [self._best(search) for search in searches]

    def _grow(self, search: Search, scores: Tensor) -> list[int]:
        """Lengthen the K open hypotheses by `scores` `[K, V]`; returns which of them each new one comes from."""
        totals = scores + scores.new_tensor([hypothesis.total for hypothesis in search.open])[:, None]
        best = totals.flatten().topk(min(2 * self.width, totals.numel())).indices
        grown: list[Hypothesis] = []
        parents: list[int] = []
        for place in best.tolist():
            parent, token = divmod(place, scores.shape[1])
            hypothesis, score = search.open[parent], float(scores[parent, token])
            if token == self.eos:
                total = hypothesis.total + score
                self._finish(search, Hypothesis(hypothesis.ids, hypothesis.scores, total), len(hypothesis.ids) + 1)
                continue
            longer = hypothesis.longer(token, score)
            if self.ended(longer.ids):
                self._finish(search, longer, len(longer.ids))
            elif len(grown) < self.width:
                grown.append(longer)
                parents.append(parent)
        search.open = grown
        return parents

    def _finish(self, search: Search, hypothesis: Hypothesis, length: int) -> None:
        search.done.append((self._worth(hypothesis.total, length), hypothesis))
        search.done.sort(key=lambda found: -found[0])
        del search.done[self.width :]

    def _worth(self, total: float, length: int) -> float:
        return total / max(1, length) ** self.length_penalty

    def _is_over(self, search: Search) -> bool:
        """Whether as many texts have ended as are followed, and the best open one is worth no more than the worst."""
        if not search.open:
            return True
        best = search.open[0]
        return len(search.done) == self.width and self._worth(best.total, len(best.ids)) <= search.done[-1][0]

    def _best(self, search: Search) -> Found:
        opened = [(self._worth(open.total, len(open.ids)), open) for open in search.open]
        ended = bool(search.done) and (not opened or search.done[0][0] >= max(worth for worth, _ in opened))
        _, best = search.done[0] if ended else max(opened, key=lambda found: found[0])
        return tuple(best.ids), tuple(best.scores), ended
