"""What differs between two comparisons beside the runs themselves, each with the answers behind it. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from toolkit.compare.report.pair.pair import SIDES, Pair, Question
from toolkit.compare.texts import Texts, system_name
from toolkit.data.probes import OUT_OF_SCOPE

OPTIONS = ("max_new_tokens", "outside", "probes_more", "depth")


def named(pair: Pair, texts: Texts) -> list[tuple[str, str]]:
    """A sentence's part each, with the name of the fragment that shows its answers, which may be empty."""
    found = [*_questions(pair, texts), *_options(pair, texts), *_answers(pair, texts)]
    return found or [(texts("pair.named.nothing"), "")]


def _questions(pair: Pair, texts: Texts) -> Iterator[tuple[str, str]]:
    for side in SIDES:
        if only := pair.only(side):
            yield texts("pair.named.only", count=len(only), name=pair.of(side).name), f"only-{side}"
    questions = [{_without_expectation(one) for one in pair.only(side)} for side in SIDES]
    if twice := questions[0] & questions[1]:
        yield texts("pair.named.expectations", count=len({probe for _, probe in twice})), ""
    for side, other in zip(SIDES, reversed(SIDES), strict=True):
        others = pair.of(other).report.per_system
        if systems := [system_name(one, texts) for one in pair.of(side).report.per_system if one not in others]:
            yield texts("pair.named.systems", name=pair.of(side).name, systems="; ".join(systems)), ""


def _without_expectation(one: Question) -> tuple[str, object]:
    return one.either.system, replace(one.either.probe, id="", expect=None)


def _options(pair: Pair, texts: Texts) -> Iterator[tuple[str, str]]:
    """How `compare` was called; and of probe files that differ, what may follow."""
    left, right = pair.left.report, pair.right.report
    if left.options is not None and right.options is not None:
        for name in OPTIONS:
            old, new = getattr(left.options, name), getattr(right.options, name)
            if old != new:
                shown = {"left": _value(old, texts), "right": _value(new, texts)}
                yield texts("pair.named.option", name=f"--{name.replace('_', '-')}", **shown), ""
    if left.probes["sha256"] != right.probes["sha256"]:
        yield texts("pair.named.probes"), ""


def _value(value: object, texts: Texts) -> str:
    return texts("pair.named.default") if value is None else str(value)


def _answers(pair: Pair, texts: Texts) -> Iterator[tuple[str, str]]:
    """What the base model said otherwise, and what was not measured."""
    if count := sum(not one.same_before for one in pair.both):
        yield texts("pair.named.before", count=count, n=len(pair.both)), "base"
    for side in SIDES:
        report = pair.of(side).report
        outside = [one for one in report.results if one.probe.group == OUT_OF_SCOPE]
        if outside and not any(one.drift for one in outside):
            yield texts("pair.named.drift", name=pair.of(side).name), ""
    measured = [bool(pair.of(side).report.ability and pair.of(side).report.ability.groups) for side in SIDES]  # type: ignore[union-attr]  # asked first
    for side, has in zip(SIDES, measured, strict=True):
        if not has and any(measured):
            yield texts("pair.named.ability", name=pair.of(side).name), ""
