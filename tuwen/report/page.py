"""`report.html`: the page of a run, one file that needs no network and no server."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tuwen.core.errors import DataError
from tuwen.metrics.classification import wilson_interval
from tuwen.report import confusion, labels
from tuwen.report.again import again, use
from tuwen.report.curves import Chart, chart
from tuwen.report.examples import FILE_NAME as EXAMPLES_NAME
from tuwen.report.examples import Examples, SplitExamples, Tally
from tuwen.report.figures import Floor, Unit, Value, read_figures, splits_of
from tuwen.report.forgetting import FILE_NAME as FORGETTING_NAME
from tuwen.report.forgetting import Forgetting, figure_label, plot
from tuwen.report.labels import Label
from tuwen.report.log import Log, Series, read_log
from tuwen.report.marking import differing_words, duration, highlight_yaml, picture_tag

FILE_NAME = "report.html"
METRICS = "metrics.json"


def write_report(run_folder: Path) -> Path:
    """Write `report.html` into a run folder, from its `metrics.json` and, where they are there, its `log.jsonl`,
    `recipe.yaml`, `examples.json` and `forgetting.json`.

    Raises:
        DataError: `metrics.json` is missing, or a file is not what it should be.
    """
    recipe = run_folder / "recipe.yaml"
    page = render(
        run=run_folder,
        metrics=read_metrics(run_folder),
        log=read_log(run_folder),
        examples=Examples.load(run_folder) if (run_folder / EXAMPLES_NAME).exists() else Examples(),
        recipe=recipe.read_text(encoding="utf-8") if recipe.exists() else "",
        forgetting=Forgetting.load(run_folder) if (run_folder / FORGETTING_NAME).exists() else None,
    )
    path = run_folder / FILE_NAME
    part = path.with_suffix(".part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)
    return path


def render(
    run: Path,
    metrics: Mapping[str, Any],
    log: Log,
    examples: Examples,
    recipe: str,
    forgetting: Forgetting | None = None,
) -> str:
    """The page as HTML. Whatever comes from data or a user is escaped, and no script but the page's own may run.

    recipe: the resolved one, as YAML. forgetting: what a fine-tuning took away, where that was measured.
    """
    environment = _environment()
    script = environment.get_template("page.js").render()
    return environment.get_template("page.html").render(
        name=run.resolve().name,
        again=again(run),
        use=use(run, recipe),
        metrics=metrics,
        splits=[split for split in labels.SPLITS if split in {*splits_of(metrics), *examples.splits}],
        tasks=read_figures(metrics),
        log=log,
        charts=_charts(log.main),
        more_charts=_charts(log.more),
        examples=examples.splits,
        tallies=_tallies(examples.splits),
        confusions={name: confusion.view(s.confusion) for name, s in examples.splits.items() if s.confusion},
        recipe=highlight_yaml(recipe),
        forgetting=forgetting,
        forgetting_plot=base64.b64encode(plot(forgetting)).decode() if forgetting else "",
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tuwen.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "t": _both,
        "label": labels.label,
        "figure_label": figure_label,
        "labels": labels,
        "picture": picture_tag,
        "words": differing_words,
        "duration": duration,
        "share": Unit.SHARE.show,
        "unit": Unit.SHARE,
    }
    return environment


def _both(en: str, zh: str) -> Markup:
    """The same words in both languages, of which the reader's choice shows one or both; once where they are equal."""
    if en == zh:
        return Markup("{}").format(en)
    return Markup('<span class="en" lang="en">{}</span><span class="zh" lang="zh">{}</span>').format(en, zh)


def _charts(curves: Mapping[str, Series]) -> list[Chart]:
    charts = (
        chart(name, series, as_share=name == "waiting", noisy=name != "learning_rate")
        for name, series in curves.items()
    )
    return [drawn for drawn in charts if drawn]


def _tallies(splits: Mapping[str, SplitExamples]) -> list[tuple[Label, list[tuple[Label, dict[str, Value]]]]]:
    """Title, then for each kind its value on every split: worst first, by the first split that has it."""
    titles = dict.fromkeys(title for split in splits.values() for title in split.tallies)
    tables = []
    for title in titles:
        rows: dict[str, dict[str, Value]] = {}
        for name, split in splits.items():
            for kind, tally in split.tallies.get(title, {}).items():
                rows.setdefault(kind, {})[name] = _value(tally)
        ordered = sorted(rows.items(), key=lambda row: min(value.value for value in row[1].values()))
        tables.append((labels.label(labels.TALLIES, title), [(labels.label(labels.KINDS, k), v) for k, v in ordered]))
    return tables


def _value(tally: Tally) -> Value:
    floors = () if tally.floor is None else (Floor(labels.FLOORS["floor"], tally.floor),)
    interval = wilson_interval(tally.right, tally.count)
    return Value(tally.right / tally.count, floors, interval=interval, count=tally.count)


def read_metrics(run_folder: Path) -> dict[str, Any]:
    """The figures of a run.

    Raises:
        DataError: there are none, or `metrics.json` is not what the evaluation writes.
    """
    path = run_folder / METRICS
    if not run_folder.is_dir():
        raise DataError(f"{run_folder}: no such folder of a run.")
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} is missing; to write it: tuwen evaluate {run_folder}") from None
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); delete it, then: tuwen evaluate {run_folder}") from None
    if not isinstance(metrics, dict):
        raise DataError(f"{path} must hold an object; delete it, then: tuwen evaluate {run_folder}")
    return metrics
