"""The page's filters as a browser applies them: counts are what would be shown, and a number leads to its answers."""

import re

from tests.fakes.answered import SYSTEM, answered, report_on
from tests.fakes.filtered import articles, counted
from toolkit.compare.report.filters import OVER, Filters
from toolkit.compare.report.html import render_html
from toolkit.compare.texts import Texts
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.runs.comparison import OPTIONAL

OTHER = "You are a poet."
RESULTS = [
    answered(TRAINED, "Qwen", "Nova", name="t", system=SYSTEM),
    answered(TRAINED, "Qwen", "Hm", name="t", system=OTHER),  # the only wrong one, under another system prompt
    answered(PARAPHRASE, "Qwen", "Nova", name="p", system=SYSTEM),
    answered(PARAPHRASE, "Qwen", "Nova", name="p", system=OTHER),
    answered(OUT_OF_SCOPE, "8", "9", name="o", system=SYSTEM, before_again="8"),
    answered(OUT_OF_SCOPE, "8", "8", name="o", system=OTHER, before_again="8"),
]


def test_every_count_is_that_of_the_answers_shown_whatever_else_is_chosen():
    """A filter said `wrong 1` and showed none: the other filter hid it."""
    page = render_html(report_on(*RESULTS), None, Texts())
    axes = Filters(report_on(*RESULTS), Texts()).axes

    assert [axis.name for axis in axes] == ["answers", "group", "system"]
    assert counted(page, axes)({"answers": "wrong", "group": "all", "system": "all"}) == 1
    assert all(axis.choices[0].name == "all" for axis in axes)  # nothing is hidden at first


def test_each_metric_leads_to_the_answers_that_it_is_taken_over():
    report = report_on(*RESULTS)
    filters = Filters(report, Texts())
    for system, metrics in report.per_system.items():
        for name in set(OVER) - {*OPTIONAL, "kl", "agreement", "noise_floor"}:
            link = filters.link(name, system).removeprefix("#")
            behind = [one for one in RESULTS if link in filters.sets_of(one).split()]
            assert len(behind) == metrics[name].n, name
            assert {one.system for one in behind} == {system}


def test_the_headlines_numbers_lead_to_as_many_answers():
    report = report_on(*RESULTS, answered(OUT_OF_SCOPE, "4", "Nova", name="l", system=OTHER))
    filters, counts = Filters(report, Texts()), report.verdict.counts

    def behind(name: str) -> int:
        return sum(name in filters.sets_of(one).split() for one in report.results)

    assert (behind("leaked"), behind("changed"), behind("learned")) == (counts.leaked, counts.changed, counts.in_scope)
    assert filters.named("leaked") == "#leaked"
    assert Filters(report_on(*RESULTS), Texts()).named("leaked") == ""  # nothing is behind a 0


def test_every_link_of_the_page_has_its_place_and_its_rule():
    page = render_html(report_on(*RESULTS), None, Texts())
    ids = set(re.findall(r' id="([^"]+)"', page))

    links = set(re.findall(r'<a href="#([^"]+)"', page))
    assert links <= ids
    assert all(f":has(#{link}:target) .probe:not(" in page for link in links - {"answers"})


def test_changed_and_wrong_answers_come_first():
    page = render_html(report_on(*RESULTS), None, Texts())

    assert page.index("Changed and wrong answers") < page.index(">Measures<")
    assert [one["classes"] for one in articles(page)][:2] == [" changed wrong", " changed"]
    first = re.findall(r'<article class="card first([^"]*)"', page)
    assert first == [" changed wrong", " changed"]
