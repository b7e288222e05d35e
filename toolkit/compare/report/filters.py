"""What a report's answers can be filtered by, and which of them are behind each number. Pure."""

from collections.abc import Callable, Mapping, Sequence

from toolkit.compare.decision import counted
from toolkit.compare.metrics import ProbeResult
from toolkit.compare.report.choices import ALL, ANSWERS, Choices
from toolkit.compare.report.figures import WRONG, outcome
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts, system_name
from toolkit.data.probes import DEPTH, DEPTH_METRICS, OUT_OF_SCOPE, PARAPHRASE, TRAINED

KINDS: Mapping[str, Callable[[ProbeResult], bool]] = {
    "changed": lambda one: one.changed, "wrong": lambda one: outcome(one) in WRONG,
}  # fmt: skip
WITH_TOOLS = "with tools"  # out of scope, and measured apart from the others there
# The answers that each metric is taken over, under one system prompt.
OVER: Mapping[str, tuple[str, ...]] = {
    "reliability": (TRAINED,), "generality": (PARAPHRASE,), "residue": (TRAINED, PARAPHRASE),
    **{name: (group,) for group, name in DEPTH_METRICS.items()},
    **dict.fromkeys(
        ("leakage", "kl", "agreement", "locality", "noise_floor", "length", "repetition"), (OUT_OF_SCOPE,)
    ),
    "tool_locality": (WITH_TOOLS,),
}  # fmt: skip
LETTER = {TRAINED: "t", PARAPHRASE: "p", OUT_OF_SCOPE: "o", WITH_TOOLS: "c", **dict(zip(DEPTH, "isrlm", strict=True))}
LEARNED = {TRAINED: "reliability", PARAPHRASE: "generality", **DEPTH_METRICS}  # the metric of each group in scope


class Filters(Choices[ProbeResult]):
    """By kind of answer, group and system prompt."""

    def __init__(self, report: Report, texts: Texts) -> None:
        self.systems = list(report.per_system)
        self.groups = list(dict.fromkeys(one.probe.group for one in report.results))
        names = {
            ANSWERS: {name: texts(f"filter.{name}") for name in (ALL, *KINDS)},
            "group": numbered([texts(f"probe.{group}") for group in self.groups], texts),
            "system": numbered([system_name(system, texts) for system in self.systems], texts),
        }  # fmt: skip
        if len(self.systems) == 1:
            del names["system"]["0"]
        belongs = {
            ANSWERS: KINDS,
            "group": {str(at): _in_group(group) for at, group in enumerate(self.groups)},
            "system": {str(at): _under(system) for at, system in enumerate(self.systems)},
        }  # fmt: skip
        super().__init__(report.results, names, belongs, answers_behind(report))

    def link(self, metric: str, system: str | None) -> str:
        """The fragment of the answers that a metric was taken over; empty if it was not measured."""
        return self.named(set_name(metric, system, self.systems))


def numbered(names: Sequence[str], texts: Texts) -> dict[str, str]:
    """The texts of an axis' choices: all, then each by its number."""
    return {ALL: texts("filter.all")} | {str(at): name for at, name in enumerate(names)}


def answers_behind(report: Report) -> dict[str, Callable[[ProbeResult], bool]]:
    """Fragment to the answers behind a number."""
    found: dict[str, Callable[[ProbeResult], bool]] = {}
    for at, system in enumerate(report.per_system):
        for groups in dict.fromkeys(OVER.values()):
            found[_name(groups, at)] = _among(groups, system)
    worst = {name: one.system for name, one in report.figures.items()}
    found["learned"] = lambda one: (
        (metric := LEARNED.get(one.probe.group)) in counted(report.thresholds) and one.system == worst[metric]
    )
    found["leaked"] = lambda one: (
        bool(one.leaked) and measured_group(one) == OUT_OF_SCOPE and one.system == worst["leakage"]
    )
    found["changed"] = lambda one: (
        one.changed and measured_group(one) == OUT_OF_SCOPE and one.system == worst["locality"]
    )
    found["moved"] = lambda one: outcome(one) in (*WRONG, "moved")
    found["expected"] = lambda one: one.passed is not None and one.passed != one.passed_before
    found["unmoved"] = lambda one: one.before_again is not None and (one.before == one.before_again) == one.changed
    return found


def set_name(metric: str, system: str | None, systems: Sequence[str]) -> str:
    """The fragment of the answers that a metric was taken over; `system` None: the only one. Empty for none."""
    place = systems[0] if system is None and len(systems) == 1 else system
    return _name(OVER[metric], systems.index(place)) if place in systems and metric in OVER else ""


def _name(groups: Sequence[str], at: int) -> str:
    return f"{''.join(LETTER[group] for group in groups)}-{at}"


def _among(groups: Sequence[str], system: str) -> Callable[[ProbeResult], bool]:
    return lambda one: measured_group(one) in groups and one.system == system


def _in_group(group: str) -> Callable[[ProbeResult], bool]:
    return lambda one: one.probe.group == group


def _under(system: str) -> Callable[[ProbeResult], bool]:
    return lambda one: one.system == system


def measured_group(one: ProbeResult) -> str:
    """The group in OVER that an answer is measured in."""
    return WITH_TOOLS if one.probe.group == OUT_OF_SCOPE and one.probe.tools else one.probe.group


def _is_plain(one: ProbeResult) -> bool:
    return measured_group(one) == OUT_OF_SCOPE
