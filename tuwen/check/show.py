"""What a check found, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tuwen.check.check import RESULTS, Findings, Split
from tuwen.check.examples import Example
from tuwen.check.pictures import LONG, SLOW, Fault
from tuwen.check.texts import start

MOST = 5
"""Lines of each list; all stand in the results' file."""

OPEN, CLOSE = "⟦", "⟧"
"""Around what carries a loss, so that it is told without colours too."""


def show(findings: Findings, console: Console) -> None:
    """Print the findings."""
    for note in findings.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    if findings.splits:
        console.print(_counts(findings.splits, findings.size))
        console.print(_languages(findings))
        balance = (line for name, split in findings.splits.items() for line in _balance(name, split))
        for line in (*balance, *_faults(findings)):
            console.print(line, soft_wrap=True)
    for name, example in findings.examples.items():
        console.print(_example(name, example), soft_wrap=True)
    if findings.sheet is not None:
        console.print(f"\nPictures as the model sees them: {findings.sheet}", highlight=False, soft_wrap=True)
        console.print(f"All of this: {findings.sheet.parent / RESULTS}", highlight=False, soft_wrap=True)
    console.print(_verdict(findings), soft_wrap=True)


def _counts(splits: Mapping[str, Split], size: int) -> RenderableType:
    """Split by split: how much there is, and how much of it was looked at."""
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.add_column("")
    for name in splits:
        table.add_column(name, justify="right", no_wrap=True)

    def row(title: str, values: Sequence[str | int | None], warn: bool = False) -> None:
        if any(values):
            shown = ("" if value is None else f"{value:,}" if isinstance(value, int) else value for value in values)
            table.add_row(Text(title, style="yellow" if warn else ""), *shown)

    parts = list(splits.values())
    row("samples", ["a stream" if part.samples is None else part.samples for part in parts])
    row("pictures looked at", [part.pictures.looked_at for part in parts])
    row("  unusable, will be skipped", [len(part.pictures.unusable) for part in parts], warn=True)
    row(f"  enlarged over twice to {size} px", [len(part.pictures.small) for part in parts], warn=True)
    row(f"  over {SLOW:g} megapixels, slow", [len(part.pictures.large) for part in parts], warn=True)
    row(f"  over {LONG:g} times longer than wide", [len(part.pictures.long) for part in parts], warn=True)
    row("  the same as another", [sum(map(len, part.pictures.same)) for part in parts], warn=True)
    row("  width: least, median, most", [_sides(part, 0) for part in parts])
    row("  height: least, median, most", [_sides(part, 1) for part in parts])
    row("samples whose texts were read", [part.texts.looked_at for part in parts])
    row("  unusable, will be skipped", [len(part.texts.unusable) for part in parts], warn=True)
    text, sample = ("caption", "picture") if any(map(_has_pictures, parts)) else ("text", "sample")
    row(f"  {text}s", [part.texts.captions for part in parts])
    row(f"  {sample}s that share a {text}", [part.texts.sharing for part in parts])
    row("  questions", [part.texts.questions for part in parts])
    row("  classes", [len(part.texts.labels) for part in parts])
    row("  texts over max_length, cut", [len(part.texts.over_long) for part in parts], warn=True)
    return Padding(table, (1, 0))


def _has_pictures(split: Split) -> bool:
    return split.pictures.looked_at > 0


def _sides(split: Split, axis: int) -> str:
    return " ".join(map(str, split.pictures.sides[axis])) if split.pictures.sides else ""


def _languages(findings: Findings) -> RenderableType:
    """The training texts by language, and how the tokenizer writes them."""
    texts = findings.splits["train"].texts
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("training texts", "how many", "characters", "tokens a character", "longest, in tokens"):
        table.add_column(title, justify="left" if title == "training texts" else "right")
    for language, found in texts.languages.items():
        known = findings.vocabulary > 0
        table.add_row(
            {"und": "not told (und)"}.get(language, language),
            f"{found.texts:,}",
            f"{found.characters:,}",
            f"{found.tokens_per_character:.2f}" if known else "–",
            f"{found.longest:,}" if known else "–",
        )
    unknown = sum(len(split.texts.unknown) for split in findings.splits.values())
    said = f"{unknown:,} texts are not given back by the tokenizer" if unknown else "no unknown token in any text"
    below = Text(f"vocabulary of {findings.vocabulary:,}, {findings.max_length} tokens a text; {said}", style="dim")
    return Group(table, below if findings.vocabulary else Text()) if texts.languages else Text()


def _balance(name: str, split: Split) -> Iterator[Text]:
    """The commonest and rarest classes and answers, and the captions that many pictures share."""
    for title, counts in (("classes", split.texts.labels), ("answers", split.texts.answers)):
        if counts:
            total, listed = sum(counts.values()), list(counts.items())
            common = ", ".join(f"{word} {count / total:.0%}" for word, count in listed[:MOST])
            rare = f"; rarest: {listed[-1][0]} ({listed[-1][1]:,})" if len(listed) > MOST else ""
            yield Text(f"{name}: {len(counts):,} {title}: {common}{rare}")
    if split.texts.repeated:
        text, count = next(iter(split.texts.repeated.items()))
        kind, of = ("caption", "pictures") if _has_pictures(split) else ("text", "samples")
        yield Text(f"{name}: the commonest {kind} is that of {count:,} {of}: {start(text)}")


def _faults(findings: Findings) -> Iterator[Text]:
    for name, split in findings.splits.items():
        known = {fault.key for fault in split.pictures.unusable}
        unusable = [*split.pictures.unusable, *(one for one in split.texts.unusable if one.key not in known)]
        yield from _listed(f"{name}: cannot be used", unusable, "red")
        yield from _listed(f"{name}: texts that are cut", split.texts.over_long, "yellow")
        yield from _listed(f"{name}: texts that the tokenizer does not give back", split.texts.unknown, "red")
    shared = [Fault(keys[0], f"is {', '.join(keys[1:])} too") for keys in findings.shared]
    yield from _listed("pictures in several splits", shared, "yellow")


def _listed(title: str, faults: Sequence[Fault], colour: str) -> Iterator[Text]:
    if faults:
        yield Text(f"\n{title}: {len(faults):,}", style=colour)
        yield from (Text(f"  {fault.key}: {fault.reason}") for fault in faults[:MOST])
        if len(faults) > MOST:
            yield Text(f"  … and {len(faults) - MOST:,} more", style="dim")


def _example(name: str, example: Example) -> Text:
    """The row as the model reads it: what carries a loss in brackets, underlined."""
    text = Text(f"\n{name}", style="bold")
    if not example.trained_by:
        return text.append("  only evaluated; nothing of it is trained", style="not bold dim")
    trained_by = ", ".join(example.trained_by)
    if not example.rows:
        return text.append(f"  none in the first batch; {trained_by}", style="not bold dim")
    tokens = f"{example.positions:,} tokens carry a loss"
    whole = f"each counts as a whole{f', and {tokens}' if example.positions else ''}"
    loss = whole if example.whole or not example.positions else tokens
    drawn = ", drawn anew in each step" if example.drawn else ""
    text.append(f"  {example.rows:,} in the first batch, {loss}{drawn}; {trained_by}\n", style="not bold dim")
    text.append(f"  {example.key}: ", style="not bold dim")
    for piece in example.pieces:
        shown = f"{OPEN}{piece.text}{CLOSE}" if piece.loss else piece.text
        text.append(shown, style="not bold green underline" if piece.loss else "not bold")
        text.append(" ", style="not bold")
    if example.target is not None:
        text.append(f"→ {OPEN}{example.target}{CLOSE}", style="not bold green underline")
    return text


def _verdict(findings: Findings) -> Text:
    if findings.refused is not None:
        return Text(f"\nTraining would be refused: {findings.refused}", style="bold red")
    return Text(f"\nTraining can begin. ({findings.seconds:.0f} s)", style="bold green")
