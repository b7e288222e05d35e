"""The page of two runs: both verdicts, counts that never contradict, and the answers behind every number."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.answered import answered
from tests.fakes.filtered import articles, counted
from tests.fakes.ledgers import ledger
from tests.fakes.paired import compared_run, learned, two_runs
from toolkit.compare.report.pair.html import PairFilters, render_pair
from toolkit.compare.report.pair.pair import Pair, read_pair
from toolkit.compare.texts import Texts
from toolkit.data.probes import OUT_OF_SCOPE

EVIL = "</p><script>window.ran = 1</script><img src=x onerror=alert(1)>"


@pytest.fixture(name="pair")
def _pair(tmp_path: Path) -> Pair:
    """Questions of both, of one only, with other words of the base model, and abilities."""
    new = [answered(OUT_OF_SCOPE, "a", "b", prompt="New?", name="x")]
    left = [replace(one, before="I'm Qwen.") if one.probe.id == "t" else one for one in learned(forgets=True)]
    compared_run(tmp_path, 0, left, ability=ledger("--xx", "---x"))
    compared_run(tmp_path, 1, [*learned(forgets=False), *new], ability=ledger("--xx", "x-xx"))
    return read_pair("v0", "v1", tmp_path)


def test_both_verdicts_stand_beside_each_other_with_their_counts(pair: Pair):
    page = render_pair(pair, Texts())
    text = re.sub("<[^>]+>", "", page)

    assert "v1 (keep) is better in 6 of 10 answers; v0 (article) in 0, 4 have the same outcome." in text
    assert text.index("1 of 2 as expected; 1 of 2 unrelated") < text.index("2 of 2 learned; 0 of 3 unrelated")
    assert "From not learned and others moved (v0) to inconclusive (v1), with these changes: epochs 10 → 11." in text


def test_it_is_in_chinese_too(pair: Pair):
    text = re.sub("<[^>]+>", "", render_pair(pair, Texts("zh")))

    assert "10 个回答中，v1 (keep) 更好的有 6 个" in text
    assert "结论从“未学会，且波及其他回答”（v0）变为“证据不足”（v1），其间的变化：epochs 10 → 11。" in text
    assert "只有 v1 (keep) 答对的题目（2）" in text


def test_every_count_is_that_of_the_answers_shown_whatever_else_is_chosen(pair: Pair):
    page = render_pair(pair, Texts())
    axes = PairFilters(pair, Texts()).axes
    answers = next(axis for axis in axes if axis.name == "answers")

    assert [choice.name for choice in answers.choices] == ["all", "better-right", "differ", "wrong", "only-right"]
    every = dict.fromkeys((axis.name for axis in axes), "all")
    assert counted(page, axes)(every) == len(pair.questions) == 11


def test_a_number_of_either_run_leads_to_as_many_answers(pair: Pair):
    """Also those to questions that only this run was asked."""
    filters = PairFilters(pair, Texts())

    def behind(fragment: str) -> int:
        return sum(fragment.removeprefix("#") in filters.sets_of(one).split() for one in pair.questions)

    for side in ("left", "right"):
        report = pair.of(side).report
        for name in ("reliability", "generality", "residue", "leakage", "locality"):
            figure = report.figures[name]
            assert behind(filters.of_side(side, pair)(name, figure.system)) == figure.metric.n, (side, name)
        counts = report.verdict.counts
        for name, count in (("learned", counts.in_scope), ("leaked", counts.leaked), ("changed", counts.changed)):
            assert behind(f"{side}-{name}") == count, (side, name)


def test_every_link_of_the_page_has_its_place_and_its_rule(pair: Pair):
    page = render_pair(pair, Texts())
    ids = set(re.findall(r' id="([^"]+)"', page))
    links = set(re.findall(r'<a href="#([^"]+)"', page))

    assert links <= ids
    assert {"only-right", "base", "unlike", "left-leaked", "differ-leakage", "items-right"} <= links
    filtered = {link for link in links if not link.startswith(("answers", "items"))}
    assert all(f":has(#{link}:target) .probe:not(" in page for link in filtered)


def test_where_they_differ_most_comes_first_with_three_answers(pair: Pair):
    page = render_pair(pair, Texts())

    first = re.findall(r'<article class="card first.*?</article>', page, re.DOTALL)
    assert len(first) == 3
    assert [re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", text)) for text in re.findall("<p lang.*?</p>", first[0])] == [
        " Paris. ", " Nova! ", " Paris. ",
    ]  # fmt: skip
    assert "leaked" in first[0]
    assert [one["classes"].split()[-1:] for one in articles(page)][-1] == ["only-right"]


def test_a_question_of_one_run_only_says_so(pair: Pair):
    last = re.findall(r'<article class="card probe.*?</article>', render_pair(pair, Texts()), re.DOTALL)[-1]

    assert last.count("(not asked, or judged by another expectation)") == 1


def test_other_words_of_the_base_model_are_both_shown(pair: Pair):
    page = render_pair(pair, Texts())

    assert '<p lang="en" dir="auto">I\'m Qwen.</p><p lang="en" dir="auto">I am Qwen.</p>'.replace("'", "&#39;") in page


def test_nothing_is_loaded_and_nothing_that_a_model_says_acts(tmp_path: Path):
    compared_run(tmp_path, 0, [answered(OUT_OF_SCOPE, EVIL, EVIL, prompt=EVIL, name="o")])
    compared_run(tmp_path, 1, [answered(OUT_OF_SCOPE, EVIL, "x", prompt=EVIL, name="o")])

    page = render_pair(read_pair("v0", "v1", tmp_path), Texts())

    assert "<script" not in page
    assert "<img" not in page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_without_abilities_or_differences_the_page_has_neither(tmp_path: Path):
    compared_run(tmp_path, 0, learned(forgets=True))
    compared_run(tmp_path, 2, learned(forgets=True))

    page = render_pair(read_pair("v0", "v2", tmp_path), Texts())

    assert "Abilities that nobody asked about" not in page
    assert "Where the two differ most" not in page


def test_a_figure_that_one_run_lacks_is_shown_as_not_measured(tmp_path: Path):
    two_runs(tmp_path)
    compared_run(tmp_path, 3, [one for one in learned(forgets=False) if one.probe.group != "indirect"])

    text = re.sub("<[^>]+>", "", render_pair(read_pair("v0", "v3", tmp_path), Texts()))

    assert "not measured" in text
