"""The sweep's page: each figure with its threshold, and a headline that the runs do not contradict."""

import re
from html import unescape
from pathlib import Path

import pytest

from tests.fakes.swept import broken, entry, sweep_of
from toolkit.compare.texts import LANGUAGES, Texts
from toolkit.sweep.page import sweep_page
from toolkit.sweep.record import Entry

RECOMMENDS = {"en": "Recommended", "zh": "推荐"}


def page(*entries: Entry, language: str = "en") -> str:
    return sweep_page(sweep_of(*entries), Texts(language))


def shown(html: str) -> str:
    """What a reader sees of it, in one line."""
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL)).split())


def headings(html: str) -> list[str]:
    """Each column of figures: its name, and its threshold if it has one."""
    found = re.findall(r'<th scope="col">(.*?)</th>', html)
    return [shown(one) for one in found]


def row(html: str, run: str) -> str:
    return next(one for one in re.findall(r"<tr>(.*?)</tr>", html, flags=re.DOTALL) if run in one)


def test_every_column_names_its_threshold():
    assert headings(page(entry(1, 1.0, 0.01))) == [
        "run", "reliability ≥ 0.9", "generality ≥ 0.8", "leakage ≤ 0.02", "kl ≤ 0.02", "agreement", "locality",
        "seconds",
    ]  # fmt: skip


def test_every_figure_is_drawn_beside_its_threshold():
    found = row(page(entry(1, 1.0, 0.01), entry(2, 1.0, 0.08)), "v1-")

    assert found.count('<svg class="mini"') == found.count('class="limit"') == found.count('class="zone"') == 4
    assert re.findall(r'<circle class="value" cx="([\d.]+)%"', found) == ["100.0", "100.0", "0.0", "12.5"]
    assert re.findall(r'class="limit" x1="([\d.]+)%"', found) == ["90.0", "80.0", "50.0", "25.0"]


def test_the_runs_share_a_scale_in_each_column():
    """Twice the drift lies twice as far."""
    html = page(entry(1, 1.0, 0.04), entry(2, 1.0, 0.08))
    places = [re.findall(r'cx="([\d.]+)%"', row(html, run))[3] for run in ("v1-", "v2-")]

    assert [float(place) for place in places] == [50.0, 100.0]


def test_a_figure_that_misses_its_threshold_is_marked():
    found = row(page(entry(1, 1.0, 0.01, leakage=0.3)), "v1-")

    assert re.findall(r'<td class="bad" data-name="([^"]*)">([\d.]*)', found) == [("leakage ≤ 0.02", "0.300")]
    assert found.count('class="value bad"') == 1


def test_a_metric_by_which_a_run_fails_has_a_column_even_if_it_is_not_a_usual_one():
    assert "residue ≤ 0.02" in headings(page(entry(1, 1.0, 0.01, residue=0.1), entry(2, 1.0, 0.01)))
    assert not [name for name in headings(page(entry(1, 1.0, 0.01, residue=0.0))) if name.startswith("residue")]


def test_a_run_that_was_not_compared_has_its_error_in_place_of_figures():
    found = row(page(entry(1, 1.0, 0.01), broken(2, "The <loss> is not finite.")), "v2-")

    assert "The &lt;loss&gt; is not finite." in found
    assert "<svg" not in found
    assert "failed" in shown(found)


@pytest.mark.parametrize(
    ("language", "frame"),
    [("en", "Error: The loss"), ("zh", "错误信息（英文原文）：The loss")],
)
def test_an_error_is_introduced_in_the_readers_language(language: str, frame: str):
    found = row(page(entry(1, 1.0, 0.01), broken(2, "The loss is not finite."), language=language), "v2-")

    assert frame in shown(found)


def test_a_run_of_which_a_half_was_not_judged_is_best_by_its_figures_and_says_why():
    half = entry(1, 1.0, 0.01, outcome="inconclusive")
    assert half.verdict is not None
    why = "Whether something else moved was not judged: that takes out-of-scope probes"
    half.verdict |= {"passed": False, "kept": True, "not_judged": ["kept"], "reasons": [why]}

    english, chinese = (shown(page(half, entry(2, 1.0, 0.3), language=one)) for one in LANGUAGES)

    assert "No run has passed yet. Best by its figures: v1-" in english
    assert f"{why}." in english
    assert "Too few probes" not in english
    assert "没有判定其他内容是否变化：这需要 out-of-scope 类的探测问题。" in chinese


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "entries",
    [
        [entry(1, 0.5, 0.01), entry(2, 1.0, 0.3)],
        [entry(1, 1.0, 0.01, outcome="inconclusive"), entry(2, 1.0, 0.3)],
        [broken(1, "no")],
    ],
)
def test_where_no_run_has_passed_nothing_is_recommended(entries: list[Entry], language: str):
    html = page(*entries, language=language)

    assert RECOMMENDS[language].lower() not in shown(html).lower()
    assert "card verdict passed" not in html
    assert not re.search(r'pill good">', html)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_recommended_run_is_named_in_the_headline_and_marked_in_its_row(language: str):
    html = page(entry(1, 0.5, 0.01), entry(2, 1.0, 0.01), language=language)

    assert f"<h1>{RECOMMENDS[language]}" in html
    assert RECOMMENDS[language].lower() in shown(row(html, "v2-"))
    assert RECOMMENDS[language].lower() not in shown(row(html, "v1-"))


def test_a_chinese_page_names_thresholds_and_verdicts_in_chinese():
    html = page(entry(1, 1.0, 0.01, residue=0.0), entry(2, 0.5, 0.3, residue=0.2), language="zh")

    assert {"可靠性 ≥ 0.9", "KL 漂移 ≤ 0.02", "残留 ≤ 0.02"} <= set(headings(html))
    assert set(re.findall(r"[a-z]{3,}", shown(html).lower())) <= {
        "mine",
        "json",
        "keep",
        "epochs",
        "weight",
        "toolkit",
        "nat",
        *("probes", "more"),  # the name of an option
    }


def test_a_report_beside_the_sweep_is_linked(tmp_path: Path):
    run = entry(1, 1.0, 0.01)
    folder = tmp_path / "sweeps" / "x"
    report = tmp_path / str(run.run) / "compare" / "report.html"
    for path in (folder, report.parent):
        path.mkdir(parents=True)
    report.write_text("", encoding="utf-8")

    assert f'href="../../{run.run}/compare/report.html"' in sweep_page(sweep_of(run, folder=folder))
    assert "href" not in row(page(run), "v1-")
