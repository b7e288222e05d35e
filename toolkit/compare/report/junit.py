"""A report as JUnit XML, so that a CI system shows thresholds and probes as tests. Pure.

A test fails exactly where the exit code does: a probe that went wrong is a failure if its metric missed the threshold
under its system prompt, else a skipped test with the answers. A threshold that is undecided though its figure meets it
is skipped with the reason; with --strict it fails.
"""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from toolkit.compare.decision import Unmeasured
from toolkit.compare.metrics import ProbeResult
from toolkit.compare.report.ability import ability_rows, ability_sentence, group_name, thinking_sentence
from toolkit.compare.report.figures import grouped, outcome, prompt_in_context
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts, system_name
from toolkit.compare.verdict import (
    ABILITY,
    INCONCLUSIVE,
    PROBED,
    Shortfall,
    judged_figures,
    misses,
    thinking_metric,
)
from toolkit.core.text import printable
from toolkit.data.probes import DEPTH_METRICS, PARAPHRASE, TRAINED

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
METRIC = {"residue": "residue", "leaked": "leakage"}  # of an outcome; a failed probe has its group's metric
GROUP_METRIC = {TRAINED: "reliability", PARAPHRASE: "generality", **DEPTH_METRICS}


def render_junit(report: Report, texts: Texts) -> str:
    """One test suite for the thresholds, and one per group of probes."""
    root = Element("testsuites", name="toolkit compare", time=_seconds(report.timings_s.get("total", 0.0)))
    _thresholds(root, report, texts)
    for group, results in grouped(report.results).items():
        _group(root, group, results, report, texts)
    _ability(root, report, texts)
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _thresholds(root: Element, report: Report, texts: Texts) -> None:
    suite = SubElement(root, "testsuite", name="thresholds")
    for system, metrics in report.per_system.items():
        where = system if len(report.per_system) > 1 else None
        for name in report.thresholds:
            case = _case(suite, "compare.thresholds", _named(texts(f"metric.{name}.name"), where, texts))
            if metrics[name].value is None:
                SubElement(case, "skipped", message=texts("ledger.not_measured"))
            else:
                _decide(case, name, where, report, texts)
    for half in report.verdict.unmeasured:
        _undecided(_case(suite, "compare.thresholds", texts(f"ledger.{half.metric}_question")), half, report, texts)
    if report.ability is not None and report.ability.total is not None:
        case = _case(suite, "compare.thresholds", texts(f"metric.{ABILITY}.name"))
        _decide(case, ABILITY, None, report, texts)
    if (thinking := report.thinking) is not None:
        case = _case(suite, "compare.thresholds", texts(f"metric.{thinking_metric(thinking)}.name"))
        _decide(case, thinking_metric(thinking), None, report, texts)
        if not len(case):
            SubElement(case, "system-out").text = _clean(thinking_sentence(thinking, texts))
    _count(suite)


def _decide(case: Element, metric: str, system: str | None, report: Report, texts: Texts) -> None:
    """A failure if the threshold was missed, or with --strict is undecided; else undecided ones are skipped."""
    for one in report.verdict.shortfalls:
        if (one.metric, one.system) == (metric, system):
            SubElement(case, "failure", type="threshold", message=_clean(one.reason(texts)))
            return
    open_ones = report.verdict.undecided
    if metric in PROBED and open_ones:  # of each metric the verdict names one system prompt, and here each has a test
        open_ones = tuple(judged_figures(metric, report.per_system, report.thresholds, report.verdict.left))
    for one in open_ones:
        if (one.metric, one.system, one.decision) == (metric, system, "open"):
            _undecided(case, one, report, texts)


def _undecided(case: Element, one: Shortfall | Unmeasured, report: Report, texts: Texts) -> None:
    strict = report.verdict.exit_code == INCONCLUSIVE
    how = SubElement(case, "failure" if strict else "skipped", message=_clean(one.reason(texts)))
    if strict:
        how.set("type", "inconclusive")


def _group(root: Element, group: str, results: Sequence[ProbeResult], report: Report, texts: Texts) -> None:
    suite = SubElement(root, "testsuite", name=group)
    several = len(report.per_system) > 1
    for one in results:
        case = _case(suite, f"compare.{group}", _named(one.probe.id, one.system if several else None, texts))
        word = outcome(one)
        if word in {*METRIC, "failed"}:
            metric = METRIC.get(word) or GROUP_METRIC[group]
            missed = misses(metric, report.per_system[one.system][metric].value, report.thresholds)
            element = SubElement(case, "failure" if missed else "skipped", message=_clean(texts(f"mark.{word}")))
            if missed:
                element.set("type", word)
            element.text = _clean(_answers_text(one, texts))
        elif one.changed:
            SubElement(case, "system-out").text = _clean(_answers_text(one, texts))
    _count(suite)


def _ability(root: Element, report: Report, texts: Texts) -> None:
    """A test a group, with its figures; one that lost significantly is skipped: the threshold is on the total."""
    if (found := report.ability) is None:
        return
    suite = SubElement(root, "testsuite", name="ability")
    if found.total is None and not found.groups:
        case = _case(suite, "compare.ability", group_name("total", texts))
        SubElement(case, "skipped", message=_clean(ability_sentence(found, texts)))
    for row in ability_rows(found, texts):
        name, *figures = row.cells
        case = _case(suite, "compare.ability", name)
        if row.significant:
            SubElement(case, "skipped", message=_clean(texts("ability.significant")))
        SubElement(case, "system-out").text = _clean(" ".join(figures))
    _count(suite)


def _answers_text(one: ProbeResult, texts: Texts) -> str:
    return (
        f"{texts('probe.prompt')}: {prompt_in_context(one.probe, texts)}\n{texts('side.before')}: {one.before}\n"
        f"{texts('side.after')}: {one.after}"
    )


def _case(suite: Element, where: str, name: str) -> Element:
    return SubElement(suite, "testcase", classname=where, name=_clean(name), time="0")


def _named(name: str, system: str | None, texts: Texts) -> str:
    return name if system is None else f"{name} [{' '.join(system_name(system, texts).split())}]"


def _count(suite: Element) -> None:
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("time", "0")


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _clean(text: str) -> str:
    """XML 1.0 allows no control characters and no lone surrogates, not even as references: shown as their escapes."""
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", printable(text))
