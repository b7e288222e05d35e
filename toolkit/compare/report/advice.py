"""What to do about a verdict that has not passed, from its figures: a sentence for each cause. Pure."""

from collections.abc import Iterator
from pathlib import PurePath

from toolkit.compare.decision import DEEP
from toolkit.compare.further import MOST_MORE, OF_THE_BANK
from toolkit.compare.report.figures import TOOK_EVERYWHERE, figure
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import ABILITY, THINKING, THOUGHT, misses

ROUND_TO = 10


def advice(report: Report, texts: Texts) -> list[str]:
    """Empty for a verdict that passed; what concerns the most probes of its kind comes first."""
    return [*_learn(report, texts), *_keep(report, texts), *_ask_more(report, texts)]


def _missed(report: Report) -> set[str]:
    return {one.metric for one in report.verdict.shortfalls}


def _learn(report: Report, texts: Texts) -> Iterator[str]:
    missed, figures = _missed(report), {name: one.metric for name, one in report.figures.items()}
    wrong = {name: {"count": one.n - one.count, "n": one.n} for name, one in figures.items()}
    if _holds_somewhere(report) and missed & set(TOOK_EVERYWHERE):
        yield texts("advice.systems")
    if "reliability" in missed:
        yield texts("advice.epochs", **wrong["reliability"])
    elif "generality" in missed:
        known = figures["reliability"].n > 0
        yield texts(f"advice.{'wordings' if known else 'only_wordings'}", **wrong["generality"], file=_file(report))
    for name in DEEP:
        if name in missed:
            yield texts(f"advice.{name}", **wrong[name])
    if "residue" in missed:
        yield texts("advice.residue", count=figures["residue"].count)


def _keep(report: Report, texts: Texts) -> Iterator[str]:
    missed, figures = _missed(report), {name: one.metric for name, one in report.figures.items()}
    if "leakage" in missed:
        yield texts("advice.leaks", count=figures["leakage"].count, n=figures["leakage"].n)
    if missed & {"kl", "agreement", "locality", "repetition"}:
        shown = {name: "–" if (value := figures[name].value) is None else figure(value) for name in ("kl", "agreement")}
        yield texts("advice.drift", **shown)

    if "tool_locality" in missed:
        tools = figures["tool_locality"]
        yield texts("advice.tools", count=tools.n - tools.count, n=tools.n)
    if ABILITY in missed:
        yield texts("advice.ability")
    if THINKING in missed:
        yield texts("advice.thinking")
    if THOUGHT in missed:
        yield texts("advice.thought")


def _ask_more(report: Report, texts: Texts) -> Iterator[str]:
    """What more questions would tell: those of an option, rounded up, since the figure will move a little too; or own.

    The option's number includes what was asked beyond the probe file already.
    """
    if report.verdict.outcome != "inconclusive":
        return
    more = [one for one in report.verdict.undecided if one.more]
    askable = [one for one in more if one.decidable and one.metric not in DEEP]
    if askable and all(one.metric in OF_THE_BANK for one in askable):
        outside = report.figures["locality"].metric.n
        yield texts("advice.ask_outside", count=_rounded(outside + max(one.more or 0 for one in askable)))
    elif askable:
        needed = max((one.more or 0) + _asked_more(report, one.metric) for one in askable)
        yield texts("advice.ask_more", count=min(_rounded(needed), MOST_MORE))
    if own := [one.metric for one in more if one not in askable]:
        names = texts("advice.and").join(texts(f"metric.{name}.name") for name in own)
        yield texts("advice.write_more", metrics=names, file=_file(report))


def _file(report: Report) -> str:
    """The probe file; with the run's name where the run made it, since many files are called probes.yaml."""
    path = PurePath(str(report.probes["path"]))
    return f"{path.parent.name}/{path.name}" if path.parent.name == report.after.get("name") else path.name


def _rounded(count: int) -> int:
    return -(-count // ROUND_TO) * ROUND_TO


def _asked_more(report: Report, metric: str) -> int:
    """How many of the questions that the figure counts are beyond the probe file, of those that --probes-more adds."""
    further, named = report.further, None if report.options is None else report.options.probes_more
    if further is not None and metric in {"reliability", "generality", "residue"}:
        return further.rows if metric == "reliability" else further.written
    return named or 0


def _holds_somewhere(report: Report) -> bool:
    """Whether the change misses its thresholds under some system prompts, and meets them under others."""
    short = {
        any(misses(name, metrics[name].value, report.thresholds) for name in TOOK_EVERYWHERE)
        for metrics in report.per_system.values()
    }
    return len(short) > 1
