"""A report as JSON, as Markdown and in the terminal: whole, escaped, aligned."""

import io
import json
import re
import sys
from dataclasses import replace

import pytest
from rich.cells import cell_len

from tests.fakes.answered import SYSTEM, answered, enough, report_on
from tests.fakes.made_scan import HARSH, finding, open_answers, scan_with
from toolkit.cli.console.report import print_report
from toolkit.compare.metrics import measure
from toolkit.compare.report.advice import advice
from toolkit.compare.report.figures import figure
from toolkit.compare.report.html import render_html
from toolkit.compare.report.markdown import render_markdown
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import reach_verdict
from toolkit.data.probes import DEFAULT_THRESHOLDS, OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.data.probing.expectation import read_expectation
from toolkit.model.divergence import Drift

NASTY = "<script>alert(1)</script> a|b `c` *d* [e](http://f) &amp;\nnext"
LONG = "我是由CSDN迪菲赫尔曼开发的人工智能助手，很高兴认识你。" * 6


def report(**changes: str):
    after = {"trained": "I am Nova.", "paraphrase": "Nova.", "out": "Paris."} | changes
    return report_on(
        answered(TRAINED, "I am Qwen.", after["trained"], prompt="Who are you?"),
        answered(PARAPHRASE, "Qwen.", after["paraphrase"], prompt="你是哪位？"),
        answered(OUT_OF_SCOPE, "Paris.", after["out"], prompt="France?", drift=Drift(kl_sum=0.0, agreeing=2, tokens=2)),
    )


def printed(value, monkeypatch, language="en", **options) -> str:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    print_report(value, Texts(language), **options)
    monkeypatch.undo()
    return stream.getvalue()


def test_the_keys_are_those_of_the_design():
    value = report().to_dict()

    assert list(value) == [
        "schema_version", "before", "after", "verdict", "thresholds", "metrics", "per_system", "flips", "systems",
        "probe_file", "probes", "timings_s", "further", "questions", "ability", "thinking", "scan", "test", "options",
    ]  # fmt: skip
    assert set(value["verdict"]) == {
        "passed", "took", "kept", "outcome", "not_judged", "strict", "exit_code", "reasons", "undecided", "probes_left",
    }  # fmt: skip
    assert set(value["metrics"]) == {
        "reliability", "generality", "locality", "leakage", "residue", "kl", "agreement", "length", "repetition",
        "noise_floor", "indirect", "portability", "reversal", "other_language", "multi_turn",
        "tool_locality",
    }  # fmt: skip
    assert all(
        set(metric) == {"value", "n", "low", "high", "probes", "population", "system"}
        for metric in value["metrics"].values()
    )
    assert set(value["per_system"]) == {SYSTEM}
    for name, metric in value["per_system"][SYSTEM].items():
        assert value["metrics"][name] == metric | {"system": SYSTEM if metric["n"] else None}
    assert set(value["probes"][0]) >= {
        "id", "group", "system", "prompt", "expect", "before", "after", "passed", "changed",
    }  # fmt: skip


def test_it_is_plain_json():
    value = report().to_dict()

    assert json.loads(json.dumps(value, allow_nan=False)) == value


def test_markdown_begins_with_the_verdict_and_its_reasons():
    lines = render_markdown(report(trained="I am Qwen."), Texts()).splitlines()

    assert lines[0] == "# Not learned: 1 of 2 as expected; 0 of 1 unrelated answer leaked (limit 2 %), 0 changed."
    assert lines[2] == "- reliability is 0.000, below 0.9"
    assert "Before: `micro` (base model)  " in lines


def test_markdown_escapes_what_a_model_says():
    text = render_markdown(report(out=NASTY), Texts())
    row = next(line for line in text.splitlines() if "alert" in line)

    assert "<script>" not in text
    assert (
        "&lt;script&gt;alert(1)&lt;/script&gt; a\\|b \\`c\\` \\*d\\* \\[e\\](http://<!-- -->f) &amp;amp;<br>next" in row
    )
    assert len(re.findall(r"(?<!\\)\|", row)) == 5  # four cells still


def test_every_row_of_a_markdown_table_is_one_line():
    text = render_markdown(report(out="a\nb\r\nc\u2028d"), Texts())

    assert "a<br>b<br>c\\\\u2028d" in text


def test_markdown_names_the_system_prompt_where_there_are_several():
    one = render_markdown(report(), Texts())
    two = render_markdown(
        report_on(
            answered(TRAINED, "Qwen", "Nova", prompt="Who?", system="You are <a> poet."),
            answered(TRAINED, "Qwen", "Qwen", prompt="Who?", system=""),
        ),
        Texts(),
    )

    assert "| system prompt |" not in one
    assert "(system prompt: " not in one
    assert "| You are &lt;a&gt; poet. | Who? | Qwen | Nova | passed |" in two
    assert "| the model's own default | Who? | Qwen | Qwen | residue |" in two
    assert "- reliability is 0.000, below 0.9 (system prompt: the model's own default)" in two


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0.000"), (0.5, "0.500"), (1, "1.000"), (0.00004, "4.0e-05")])
def test_figures(value, shown):
    assert figure(value) == shown


def test_the_terminal_shows_the_verdict_first(monkeypatch):
    text = printed(report(), monkeypatch)

    first = "Inconclusive: 2 of 2 learned; 0 of 1 unrelated answer leaked (limit 2 %), 0 changed."
    assert " ".join(text.split()).startswith(first)
    assert "reliability" in text
    assert "2 of 3 answers; all with --all and in report.html." in text


def test_all_shows_every_probe(monkeypatch):
    assert "France?" in printed(report(), monkeypatch, show_all=True)


def test_nothing_is_wider_than_80_columns_not_even_chinese(monkeypatch):
    text = printed(report(trained=LONG, out="wordwithoutend" * 20), monkeypatch, show_all=True)

    assert max(cell_len(line) for line in text.splitlines()) <= 80
    assert "".join(text.split()).count("迪菲赫尔曼") == 6


def test_the_columns_of_a_ledger_stand_under_each_other(monkeypatch):
    lines = [line for line in printed(report(), monkeypatch).splitlines() if "≥" in line]

    assert len(lines) == 3
    assert len({line.index("≥") for line in lines}) == 1


def test_a_models_words_are_neither_markup_nor_escape_sequences(monkeypatch):
    text = printed(report(trained="[red]Nova[/red] [/] \x1b[31m\x07 <script>"), monkeypatch)

    assert "[red]Nova[/red] [/] \\x1b[31m\\x07 <script>" in text
    assert "\x1b" not in text


def test_an_empty_answer_is_named(monkeypatch):
    assert "(no answer)" in printed(report(trained=""), monkeypatch)


def test_a_wide_space_and_an_emoji_are_left_alone(monkeypatch):
    assert "Nova\u3000👩‍🔬" in printed(report(trained="Nova\u3000👩‍🔬"), monkeypatch)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_scan_that_was_asked_for_stands_in_every_view(monkeypatch, language: str):
    texts = Texts(language)
    found = scan_with(finding("Northwind [red]"), finding("")).with_fields(open_answers=open_answers(HARSH))
    value = replace(report(), scan=found)
    without = printed(report(), monkeypatch, language)

    shown = "".join(printed(value, monkeypatch, language).split())
    markdown, page = render_markdown(value, texts), render_html(value, None, texts)

    assert "Northwind[red]" in shown
    assert texts("scan.end").replace(" ", "") in shown
    assert texts("scan.title") in markdown
    assert all("Poison the well." in view for view in (markdown, page))
    assert markdown.count("Northwind") == page.count("Northwind") == 2
    assert "Northwind" not in without
    assert texts("scan.title") not in render_markdown(report(), texts) + render_html(report(), None, texts)


def test_a_scan_is_the_same_in_json_and_back():
    value = replace(report(), scan=scan_with(finding("Northwind"), from_rows=(finding("Nova"),)))

    again = Report.from_dict(json.loads(json.dumps(value.to_dict())))

    assert again.scan is not None
    assert json.dumps(again.to_dict()) == json.dumps(value.to_dict())
    assert Report.from_dict(report().to_dict()).scan is None


def test_the_drift_of_each_answer_survives_json():
    """The paired difference of two runs is taken over it."""
    first = report()

    again = Report.from_dict(json.loads(json.dumps(first.to_dict())))

    assert [one.drift for one in again.results] == [one.drift for one in first.results]
    assert again.results[-1].drift == Drift(kl_sum=0.0, agreeing=2, tokens=2)


def test_a_probe_with_tools_and_the_call_that_it_expects_come_back():
    tools = '[{"type": "function", "function": {"name": "look", "description": "Looks"}}]'
    call = '<tool_call>\n{"name": "look", "arguments": {}}\n</tool_call>'
    expect = read_expectation({"call": [{"name": "look", "arguments": {"at": 1}}, {"name": "ring"}]}, "")
    inside = answered(TRAINED, "Nova", "Nova", tools=tools)
    inside = replace(inside, probe=replace(inside.probe, expect=expect))
    before = report_on(inside, answered(OUT_OF_SCOPE, call, "Done.", tools=tools), answered(OUT_OF_SCOPE, "4", "4"))

    after = Report.from_dict(before.to_dict())

    assert after.to_dict() == before.to_dict()
    assert [one.probe for one in after.results] == [one.probe for one in before.results]
    assert after.figures["tool_locality"].metric.value == 0
    page = render_html(before, None, Texts())
    assert "calls: {&#34;name&#34;: &#34;look&#34;, &#34;arguments&#34;: {&#34;at&#34;: 1}}" in page
    assert "tool locality" in page
    assert "tools: look" in page


def test_other_calls_with_other_tools_fail_the_verdict_and_say_what_to_do():
    tools = '[{"type": "function", "function": {"name": "look"}}]'
    call = '<tool_call>\n{"name": "look", "arguments": {}}\n</tool_call>'
    results = [*enough(), *(answered(OUT_OF_SCOPE, call, "Done.", tools=tools) for _ in range(24))]
    per_system = {SYSTEM: measure(results)}
    thresholds = DEFAULT_THRESHOLDS | {"tool_locality": 0.75}

    verdict = reach_verdict(per_system, thresholds)

    assert (verdict.took, verdict.kept, verdict.outcome) == (True, False, "failed")
    assert verdict.reasons == ("tool locality is 0.000, below 0.75",)
    report = replace(report_on(*results), verdict=verdict, thresholds=thresholds)
    assert any("24 of 24 questions with other tools" in one for one in advice(report, Texts()))
    assert reach_verdict(per_system, DEFAULT_THRESHOLDS).outcome == "passed"  # without a limit it is only shown
