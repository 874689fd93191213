"""How close a text comes to reference texts: exact match, BLEU, ROUGE-L, CIDEr-D.

Every score takes `predictions` (one text an item) and `references` (for each item, one or more texts).

Compared with the Java toolkit of COCO captions (`pycocoevalcap`), whose definitions these are:

- Words come from `tokenize` below, which needs no Java. It follows the Penn Treebank conventions that matter there
  (lower case, `it's` → `it 's`, `don't` → `do n't`, hyphens kept, punctuation dropped), and splits Han and kana into
  characters, where the toolkit leaves a whole Chinese sentence as one word and so scores it all or nothing.
- BLEU adds nothing to its counts; the toolkit adds 1e-9 to 1e-15, which shows only where a count is 0.
- CIDEr-D uses the document frequencies of the references given, as the toolkit's `corpus` mode does.

Given the same words, the figures agree to rounding.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

Words = list[str]
NGrams = Counter[tuple[str, ...]]

_HAN_OR_KANA = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")
_CLITIC = re.compile(r"(.+?)(n't|'(?:s|re|ve|ll|m|d))$")
_INNER = re.compile(r"(?<=[^\W_])['-](?=[^\W_])|(?<=\d)[.,:](?=\d)")
_KEPT_SIGNS = frozenset("%&#@")


def tokenize(text: str) -> Words:
    """Words in lower case without punctuation; Chinese characters and kana one by one. The script decides, not a flag.

    Full-width forms become the common ones (NFKC), so `３．５` and `3.5` are the same word.
    """
    clean = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    spaced = _HAN_OR_KANA.sub(r" \1 ", clean)
    return [word for token in _split(spaced) for word in _CLITIC.sub(r"\1 \2", token).split()]


def exact_match(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """The share of predictions that equal a reference, character by character; only runs of white space are alike."""
    _check(predictions, references)
    plain = [[" ".join(text.split()) for text in texts] for texts in references]
    return fmean(" ".join(text.split()) in texts for text, texts in zip(predictions, plain, strict=True))


def bleu(predictions: Sequence[str], references: Sequence[Sequence[str]], order: int = 4) -> list[float]:
    """BLEU-1 to BLEU-`order` of the whole corpus (Papineni et al. 2002): `BP · exp(mean log pₙ)`.

    `pₙ` clips each n-gram to its highest count in one reference; the brevity penalty uses the reference length closest
    to the prediction's, the shorter of two. No smoothing: without one matching n-gram the score is 0.
    """
    words, gold = _tokenized(predictions, references)
    matched, total = [0] * order, [0] * order
    length = closest = 0
    for guess, texts in zip(words, gold, strict=True):
        length += len(guess)
        closest += min((len(text) for text in texts), key=lambda size: (abs(size - len(guess)), size))
        for n in range(order):
            grams = _ngrams(guess, n + 1)
            most: NGrams = Counter()
            for text in texts:
                most |= _ngrams(text, n + 1)
            matched[n] += (grams & most).total()
            total[n] += grams.total()
    penalty = 1.0 if length >= closest else math.exp(1 - closest / length) if length else 0.0
    return [penalty * _geometric_mean(matched[: n + 1], total[: n + 1]) for n in range(order)]


def rouge_l(predictions: Sequence[str], references: Sequence[Sequence[str]], beta: float = 1.2) -> float:
    """ROUGE-L (Lin 2004): the F-score of the longest common subsequence, averaged over the items.

    With several references precision and recall are each the best over them, as COCO does; `beta` weighs recall.
    """
    words, gold = _tokenized(predictions, references)
    return fmean(_rouge_l(guess, texts, beta) for guess, texts in zip(words, gold, strict=True))


def cider(predictions: Sequence[str], references: Sequence[Sequence[str]], order: int = 4, sigma: float = 6.0) -> float:
    """CIDEr-D (Vedantam et al. 2015, equations 1, 4 and 5), times ten: from 0 to 10.

    For n = 1..4, the clipped cosine of tf-idf vectors of n-grams, times `exp(−Δ²/2σ²)` where Δ is the difference in
    length; averaged over references, n and items. Document frequencies come from `references`: a corpus of one item,
    or one where all items have the same references, has no information in any n-gram and scores 0.
    """
    words, gold = _tokenized(predictions, references)
    frequency: NGrams = Counter()
    for texts in gold:
        frequency.update({gram for text in texts for n in range(order) for gram in _ngrams(text, n + 1)})
    items = len(gold)

    def vectors(text: Words) -> list[dict[tuple[str, ...], float]]:
        return [
            {gram: count * math.log(items / max(1, frequency[gram])) for gram, count in _ngrams(text, n + 1).items()}
            for n in range(order)
        ]

    scores = []
    for guess, texts in zip(words, gold, strict=True):
        ours = vectors(guess)
        for text in texts:
            nearness = math.exp(-((len(guess) - len(text)) ** 2) / (2 * sigma**2))
            cosines = [_clipped_cosine(a, b) for a, b in zip(ours, vectors(text), strict=True)]
            scores.append(nearness * fmean(cosines) / len(texts))
    return 10 * math.fsum(scores) / items


def caption_scores(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """The summary for `metrics.json`: `exact_match`, `bleu_1` to `bleu_4`, `rouge_l`, `cider`, `count`."""
    return {
        "exact_match": exact_match(predictions, references),
        **{f"bleu_{n}": score for n, score in enumerate(bleu(predictions, references), start=1)},
        "rouge_l": rouge_l(predictions, references),
        "cider": cider(predictions, references),
        "count": len(predictions),
    }


def _split(text: str) -> Iterator[str]:
    """Runs of letters, digits and their marks; signs alone; punctuation only inside a word (`t-shirt`, `3.5`)."""
    inner = {match.start() for match in _INNER.finditer(text)}
    word = ""
    for position, char in enumerate(text):
        group = unicodedata.category(char)[0]
        if group in "LNM" or position in inner:
            word += char
            continue
        if word:
            yield word
            word = ""
        if group == "S" or char in _KEPT_SIGNS:
            yield char
    if word:
        yield word


def _ngrams(words: Words, n: int) -> NGrams:
    return Counter(zip(*(words[start:] for start in range(n)), strict=False))


def _geometric_mean(matched: Sequence[int], total: Sequence[int]) -> float:
    if not all(matched):
        return 0.0
    return math.exp(fmean(math.log(hits / count) for hits, count in zip(matched, total, strict=True)))


def _rouge_l(guess: Words, references: Iterable[Words], beta: float) -> float:
    pairs = [(_longest_common(guess, text), len(text)) for text in references]
    precision = max(common for common, _ in pairs) / len(guess) if guess else 0.0
    recall = max(common / size if size else 0.0 for common, size in pairs)
    if not precision or not recall:
        return 0.0
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)


def _longest_common(a: Words, b: Words) -> int:
    """Length of the longest common subsequence, by rows of the usual table."""
    row = [0] * (len(b) + 1)
    for word in a:
        diagonal = 0
        for column, other in enumerate(b, start=1):
            diagonal, row[column] = row[column], diagonal + 1 if word == other else max(row[column], row[column - 1])
    return row[-1]


def _clipped_cosine(ours: dict[tuple[str, ...], float], theirs: dict[tuple[str, ...], float]) -> float:
    norms = math.sqrt(math.fsum(v * v for v in ours.values()) * math.fsum(v * v for v in theirs.values()))
    if not norms:
        return 0.0
    return math.fsum(min(value, theirs[gram]) * theirs[gram] for gram, value in ours.items() if gram in theirs) / norms


def _tokenized(
    predictions: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[list[Words], list[list[Words]]]:
    _check(predictions, references)
    return [tokenize(text) for text in predictions], [[tokenize(text) for text in texts] for texts in references]


def _check(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if len(predictions) != len(references) or not predictions:
        raise ValueError(f"{len(predictions)} predictions for {len(references)} sets of references")
    for index, texts in enumerate(references):
        if isinstance(texts, str) or not texts:
            raise ValueError(f"item {index}: references must be a list of one text or more, not {texts!r}")
