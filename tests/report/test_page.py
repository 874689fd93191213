import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from tuwen.core.errors import DataError
from tuwen.report.examples import AnswerExample, CaptionExample, Examples, FoundTexts, Piece, PromptExample
from tuwen.report.page import write_report

VOID = {"meta", "img", "input", "br", "link"}
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;'


class Page(HTMLParser):
    """Collects tags and text, and fails where they do not nest."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] not in {"style", "script"}:
            self.texts.append(text)

    def having(self, **wanted):
        return [tag for tag, found in self.tags if wanted.items() <= found.items()]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def html(run_folder):
    return write_report(run_folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def write_run(folder, metrics, examples=None):
    (folder / "metrics.json").write_text(json.dumps(metrics))
    if examples:
        examples.save(folder)
    return Page(write_report(folder).read_text(encoding="utf-8"))


def test_it_is_one_file_that_loads_nothing(page, run_folder):
    assert sorted(path.name for path in run_folder.iterdir()) == [
        "examples.json", "log.jsonl", "metrics.json", "recipe.yaml", "report.html",
    ]  # fmt: skip
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "object", "base"}
        for name in ("src", "href", "action"):
            assert attributes.get(name, "data:").startswith(("data:image/png;base64,", "data:", "#")), (tag, attributes)


def test_only_its_own_script_may_run(html, page):
    (policy,) = [found["content"] for tag, found in page.tags if "http-equiv" in found]
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_every_label_stands_in_both_languages(page):
    english, chinese = page.having(lang="en", **{"class": "en"}), page.having(lang="zh", **{"class": "zh"})
    assert len(english) > 100
    assert len(chinese) >= len(english)


def test_figures_stand_beside_floors_and_what_was_asked(page):
    for words in (
        "96.6 %",
        "✓ asked 要求 ≥ 95.0 %",
        "✗ asked 要求 ≥ 75.0 %",
        "question only 只看问题 61.0 %",
        "n = 2,000",
    ):
        assert words in page.text, words
    assert "chance 随机猜测 0.1 %" in page.text
    assert "4 min 52 s 4 分 52 秒" in page.text


def test_examples_curves_recipe_and_machine_are_there(page):
    for words in ("Captions", "问答", "Text → pictures", "以图搜文", "right one first", "Learning rate", "等待数据",
                  "contrastive/accuracy", "Intel Xeon", "kind : scenes", "# fewest and most"):  # fmt: skip
        assert words in page.text, words
    wrong, right = page.having(**{"class": "card wrong"}), page.having(**{"class": "card right"})
    assert len(wrong) >= 8
    assert len(right) >= 8
    assert page.text.count("✗") > 8


def test_a_prompt_has_its_pictures_in_place_and_the_scores_of_closed_answers(tmp_path):
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    examples = Examples()
    pieces = (Piece(picture=pixels), Piece("this is a dax."), Piece(picture=pixels), Piece("this is a"))
    examples.split("tasks").prompts.append(PromptExample(pieces, "wug", "dax", False, (("wug", -0.52), ("dax", -1.5))))
    page = write_run(tmp_path, {"tasks": {"fast_binding": {"2_way_1_shot": 0.5}}}, examples)
    assert "this is a dax." in page.text
    assert "wug -0.5" in page.text
    assert "dax -1.5" in page.text
    assert len(page.having(**{"class": "prompt wrong"})) == 1
    assert [tag for tag, _ in page.tags].count("img") == 2


def test_whatever_users_write_is_escaped(tmp_path):
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    examples = Examples()
    split = examples.split("tasks")
    split.captions.append(CaptionExample(pixels, EVIL, EVIL + " dog", False, (EVIL,)))
    split.answers.append(AnswerExample(pixels, EVIL, EVIL, EVIL, True, EVIL))
    split.found_texts.append(FoundTexts(pixels, (EVIL,), (True,), 1))
    split.prompts.append(PromptExample((Piece(picture=pixels), Piece(EVIL)), EVIL, EVIL + "?", False, ((EVIL, -1.0),)))
    folder = tmp_path / EVIL.replace("/", "_")
    folder.mkdir()
    (folder / "recipe.yaml").write_text(f"{EVIL}: 1\nkey: {EVIL} # {EVIL}\n")
    (folder / "log.jsonl").write_text(json.dumps({"step": 1, "losses": {EVIL: 1, "b": 2}}) + "\n")
    page = write_run(folder, {"tasks": {EVIL: {EVIL: 1}}, "machine": {EVIL: EVIL}}, examples)
    assert page.having(src="x") == []
    assert len(page.having(onerror="alert(2)>&amp;")) == 0
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert page.text.count("<script>alert(1)") > 10


def test_metrics_alone_make_a_page(tmp_path):
    page = write_run(tmp_path, {"train_seconds": 4000, "tasks": {"vqa": {"accuracy": 0.5}}})
    assert "1 h 6 min 1 小时 6 分" in page.text
    assert "50.0 %" in page.text
    for words in ("Held out", "Curves", "What failed", "recipe, with"):
        assert words not in page.text


def test_an_evaluation_without_figures_still_says_what_run_it_is(tmp_path):
    assert tmp_path.name in write_run(tmp_path, {}).text


@pytest.mark.parametrize(
    ("content", "message"), [(None, "is missing"), ("{", "is not JSON"), ("[]", "must hold an object")]
)
def test_bad_metrics_say_what_to_do(tmp_path, content, message):
    if content is not None:
        (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(DataError, match=rf"metrics\.json {message}.*tuwen evaluate"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()
