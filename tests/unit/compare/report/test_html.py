"""report.html: whole without network and script, and nothing that a model says acts."""

import base64
import hashlib
import re
from dataclasses import fields, replace
from html.parser import HTMLParser

import pytest

from tests.fakes.answered import SYSTEM, answered, enough, report_on
from tests.fakes.run_record import run_record
from toolkit.compare.report.html import expected, render_html
from toolkit.compare.texts import Texts
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.data.probing.expectation import Expectation
from toolkit.model.divergence import Drift
from toolkit.runs.run import Run
from toolkit.runs.training_log import read_training_log

EVIL = "</p><script>window.ran = 1</script><img src=x onerror=alert(1)> &amp; \x00\x1b[31m {{ 7*7 }}"
DRIFT = Drift(kl_sum=0.01, agreeing=2, tokens=2)


class Page(HTMLParser):
    """What a reader's browser would make of it: tags with attributes, and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data.strip())

    def named(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(text for text in self.texts if text)


def judged(after="I am Nova.", system=SYSTEM):
    return [
        answered(TRAINED, "I am Qwen.", after, prompt="Who are you?", system=system, name="t"),
        answered(PARAPHRASE, "我是通义千问，由阿里云开发。", "我是Nova，由小明开发。", system=system, name="p"),
        answered(OUT_OF_SCOPE, "Paris.", "Paris.", system=system, name="o", drift=DRIFT, before_again="Paris."),
    ]  # fmt: skip


def page(*answers, story=None, language="en"):
    return render_html(report_on(*(answers or judged())), story, Texts(language))


def test_it_opens_with_the_verdict():
    found = Page(page(*enough()))

    assert found.text.index("Passed: 80 of 80 learned; 0 of 200 unrelated") < found.text.index("reliability")
    assert len(found.named("h1")) == 1


def test_a_half_that_no_further_probe_would_decide_does_not_ask_for_more():
    known = [replace(one, before="I am Nova.", passed_before=True) for one in enough() if one.passed is not None]
    kept = [one for one in enough() if one.passed is None]

    assert "Not shown by what was asked" in Page(page(*known, *kept)).text
    assert "Too few probes" not in Page(page(*known, *kept)).text


def test_a_verdict_that_failed_comes_with_its_reasons():
    text = Page(page(*judged(after="I am Qwen."))).text

    assert "Not learned: 1 of 2 as expected" in text
    assert "reliability is 0.000, below 0.9" in text


def test_nothing_is_loaded_and_no_script_is_there():
    found = Page(page(*judged(after=EVIL)))

    assert {"script", "img", "link", "iframe", "object", "form"}.isdisjoint(name for name, _ in found.tags)
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert not [name for _, attributes in found.tags for name in attributes if name in {"src", "style"}]
    assert all(one["href"].startswith("#") for one in found.named("a"))
    assert "url(" not in page()


def test_what_a_model_says_is_shown_and_not_run():
    text = Page(page(*judged(after=EVIL))).text

    assert "window.ran = 1" in text
    assert "onerror=alert(1)" in text
    assert "&amp;" in text
    assert "{{ 7*7 }}" in text
    assert "\x00" not in text
    assert r"\x1b[31m" in text


def test_the_policy_allows_the_one_style_and_nothing_else():
    text = page()
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    policy = next(meta["content"] for meta in Page(text).named("meta") if meta.get("http-equiv"))

    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_words_that_differ_are_marked_in_chinese_too():
    text = page()

    assert "我是<del>通义千问</del>，由<del>阿里云</del>开发。" in text
    assert "我是<ins>Nova</ins>，由<ins>小明</ins>开发。" in text


def test_every_probe_is_there_once_for_each_system_prompt():
    found = Page(page(*judged(), *judged(system="")))

    articles = [one for one in found.named("article") if "probe" in one["class"].split()]
    assert len(articles) == 6
    assert {one["data-system"] for one in articles} == {"0", "1"}
    assert [one["id"] for one in found.named("input") if one["name"] == "system"] == [
        "system-all",
        "system-0",
        "system-1",
    ]


def test_one_system_prompt_needs_no_choice_and_no_table():
    found = Page(page())

    assert {one["name"] for one in found.named("input")} == {"answers", "group"}
    assert found.named("table") == []


def test_every_choice_has_a_label_and_a_rule():
    text = page(*judged(), *judged(system=""))
    found = Page(text)
    ids = [one["id"] for one in found.named("input")]

    assert sorted(ids) == sorted(one["for"] for one in found.named("label"))
    assert all(f"#{one}:checked" in text for one in ids if not one.endswith("-all"))


def test_a_missed_threshold_is_marked_under_its_system_prompt():
    found = Page(page(*judged(), *judged(after="Hm", system="")))

    assert len([one for one in found.named("td") if one.get("class") == "bad"]) == 1
    assert "The change holds only under the training system prompt." in found.text


def test_the_run_is_told_where_there_is_one(tmp_path):
    log = "\n".join(f'{{"step": {at}, "loss": {4 / at}, "cross_entropy": {3 / at}}}' for at in range(1, 9))
    (tmp_path / "logging.jsonl").write_text(log, encoding="utf-8")
    record = run_record(
        timings_s={"load": 1.0, "train": 3.0, "total": 4.5}, peak_memory_bytes=2**30,
        hardware={"memory_bytes": 2**32, "name": "A card"},
    )  # fmt: skip
    found = Page(page(story=read_training_log(Run(folder=tmp_path, record=record))))

    assert [one["class"] for one in found.named("polyline")] == ["line loss", "line cross_entropy"]
    assert "1.0 GiB at peak, of 4.0 GiB" in found.text
    assert "training 3.0 s" in found.text
    assert "A card" in found.text


@pytest.mark.parametrize(("language", "lang", "told"), [("en", "en", "Measures"), ("zh", "zh-CN", "指标")])
def test_it_speaks_both_languages(language, lang, told):
    found = Page(page(language=language))

    assert found.named("html") == [{"lang": lang}]
    assert told in found.text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_kind_of_expectation_is_told_in_words(language: str):
    every = Expectation(any=("Nova",), all=("Nova",), exact="Nova", regex="Nova", answer=("I am Nova.",), call=(),
                        none=("Qwen",), names=("Nova",))  # fmt: skip

    told = expected(every, Texts(language)).split("; ")

    assert len(told) == len(fields(Expectation))
    assert all(":" in one or "：" in one for one in told)
